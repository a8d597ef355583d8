# SPDX-License-Identifier: Apache-2.0
# The IPs that vivado_stubs.tcl knows, with the pins and properties that exist in Vivado under these names.
# Interfaces are {name mode protocol}, pins {name direction}; inputs and slaves must be connected.
set ips {
  processing_system7 {
    versions {5.3 5.5} clock FCLK_CLK0
    interfaces {DDR none external FIXED_IO none external M_AXI_GP0 master aximm S_AXI_HP0 slave aximm}
    pins {FCLK_CLK0 out FCLK_RESET0_N out M_AXI_GP0_ACLK in S_AXI_HP0_ACLK in}
    properties {
      PCW_CRYSTAL_PERIPHERAL_FREQMHZ PCW_ENET0_PERIPHERAL_ENABLE PCW_ENET0_ENET0_IO
      PCW_PRESET_BANK1_VOLTAGE PCW_USE_M_AXI_GP0 PCW_USE_S_AXI_HP0 PCW_S_AXI_HP0_DATA_WIDTH PCW_EN_CLK0_PORT PCW_EN_RST0_PORT
      PCW_FPGA0_PERIPHERAL_FREQMHZ
    }
    achieved {PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ PCW_FPGA0_PERIPHERAL_FREQMHZ}
  }
  zynq_ultra_ps_e {
    versions {3.3 3.5} clock pl_clk0
    interfaces {M_AXI_HPM0_FPD master aximm S_AXI_HP0_FPD slave aximm}
    pins {pl_clk0 out pl_resetn0 out maxihpm0_fpd_aclk in saxihp0_fpd_aclk in}
    properties {
      PSU__PSS_REF_CLK__FREQMHZ PSU__USE__M_AXI_GP0 PSU__USE__M_AXI_GP1 PSU__USE__M_AXI_GP2
      PSU__MAXIGP0__DATA_WIDTH PSU__USE__S_AXI_GP2 PSU__SAXIGP2__DATA_WIDTH PSU__USE__FABRIC__RST
      PSU__NUM_FABRIC_RESETS PSU__FPGA_PL0_ENABLE PSU__CRL_APB__PL0_REF_CTRL__SRCSEL
      PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ
    }
    achieved {PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ}
  }
  axi_dma {
    versions {7.0 7.1} clock {}
    interfaces {
      S_AXI_LITE slave aximm M_AXI_MM2S master aximm M_AXI_S2MM master aximm
      M_AXIS_MM2S master axis S_AXIS_S2MM slave axis
    }
    pins {s_axi_lite_aclk in m_axi_mm2s_aclk in m_axi_s2mm_aclk in axi_resetn in
          mm2s_introut out s2mm_introut out}
    properties {
      c_include_sg c_sg_length_width c_include_mm2s c_include_mm2s_dre c_mm2s_burst_size
      c_m_axi_mm2s_data_width c_m_axis_mm2s_tdata_width c_include_s2mm c_include_s2mm_dre
      c_s2mm_burst_size c_m_axi_s2mm_data_width c_addr_width
    }
  }
  smartconnect {
    versions {1.0 1.9 1.10} clock {} interfaces {} pins {aclk in aresetn in} properties {NUM_SI NUM_MI}
  }
  proc_sys_reset {
    versions {5.0} clock {} interfaces {}
    pins {slowest_sync_clk in ext_reset_in in peripheral_aresetn out interconnect_aresetn out}
    properties {C_EXT_RESET_HIGH}
  }
}
