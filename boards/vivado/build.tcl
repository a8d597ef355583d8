# SPDX-License-Identifier: Apache-2.0
# From Verilog to a bitstream with Vivado 2019.1 or newer, for every Xilinx board of sbnn:
#
#     vivado -mode batch -source build.tcl
#
# Reads settings.tcl and the files that it lists, beside this script; writes into out/. It needs no board
# files, names no IP version and keeps to Tcl 8.5, which older Vivados have. Exit status 1, and no .bit in
# out/, unless every run is complete and no path has negative slack.
namespace eval sbnn {
  variable home [file dirname [file normalize [info script]]]
  variable step 0
  array set settings {}

  # One line per step, for people and for the progress bar of `make bitstream`.
  proc step {text} {
    variable step
    variable settings
    incr step
    puts "SBNN step $step/[expr {$settings(shell) eq "zynq" ? 6 : 5}]: $text"
  }

  proc under {args} {
    variable home
    return [file join $home {*}$args]
  }

  # The newest version of an IP in this Vivado's catalogue.
  proc newest_ip {name} {
    set found [lsort -dictionary [get_ipdefs -all -filter "VLNV =~ xilinx.com:ip:$name:*"]]
    if {![llength $found]} {
      error "the IP $name is not in the catalogue of Vivado [version -short]"
    }
    return [lindex $found end]
  }

  proc read_settings {} {
    variable settings
    source [under settings.tcl]
    foreach name {model board build_id part shell processor crystal_mhz pll_mhz clock_mhz top sources
                  constraints} {
      if {![info exists settings($name)]} {error "settings.tcl: $name is missing"}
    }
    foreach name [concat $settings(sources) $settings(constraints)] {
      if {![file isfile [under $name]]} {error "$name is missing beside build.tcl"}
    }
  }

  proc check_vivado {} {
    variable settings
    step "check Vivado [version -short]"
    lassign [split [version -short] .] year release
    if {$year < 2019} {error "Vivado [version -short] is too old; 2019.1 or newer is needed"}
    if {![llength [get_parts -quiet $settings(part)]]} {
      error "the part $settings(part) of $settings(board) is not installed in this Vivado;\
             add its device family with Vivado's installer"
    }
  }

  proc new_project {name} {
    variable settings
    create_project -force $name [under project $name] -part $settings(part)
    set_property target_language Verilog [current_project]
  }

  proc add_sources {} {
    variable settings
    foreach name $settings(sources) {add_files -norecurse [under $name]}
    foreach name $settings(constraints) {
      add_files -fileset [get_filesets constrs_1] -norecurse [under $name]
    }
    set_property top $settings(top) [current_fileset]
    update_compile_order -fileset sources_1
  }

  # An IP instead of a module reference: a reference refuses SystemVerilog on top and has another name in
  # the .hwh than the driver looks for.
  proc package_core {} {
    variable settings
    step "package the core as sbnn:sbnn:accelerator:1.0"
    new_project core
    add_sources
    ipx::package_project -root_dir [under project ip] -vendor sbnn -library sbnn -taxonomy /UserIP \
      -import_files -set_current true
    set core [ipx::current_core]
    set_property name accelerator $core
    set_property version 1.0 $core
    set_property display_name "sbnn $settings(model)" $core
    foreach interface {s_axi s_axis m_axis} {
      if {![llength [ipx::get_bus_interfaces $interface -of_objects $core]]} {
        error "Vivado found no interface $interface on $settings(top)"
      }
      ipx::associate_bus_interfaces -busif $interface -clock aclk $core
    }
    ipx::create_xgui_files $core
    ipx::update_checksums $core
    ipx::save_core $core
    close_project
  }

  # Names of the processing system's interfaces, pins and properties, by its kind. The Ethernet MAC of a
  # Zynq-7000 is there for the IO PLL: with it Vivado sets the PLL to 1000 MHz as boot images do, without
  # to 1600 MHz, and PYNQ loads the divisors that follow from it.
  proc processor_of {kind} {
    switch -- $kind {
      zynq7 {
        return {
          ip processing_system7 master M_AXI_GP0 memory S_AXI_HP0 clock FCLK_CLK0 reset FCLK_RESET0_N
          clocked {M_AXI_GP0_ACLK S_AXI_HP0_ACLK} address_bits 32
          wiring {PCW_USE_M_AXI_GP0 1 PCW_USE_S_AXI_HP0 1 PCW_S_AXI_HP0_DATA_WIDTH 64
                  PCW_EN_CLK0_PORT 1 PCW_EN_RST0_PORT 1
                  PCW_ENET0_PERIPHERAL_ENABLE 1 PCW_ENET0_ENET0_IO {MIO 16 .. 27}
                  PCW_PRESET_BANK1_VOLTAGE {LVCMOS 1.8V}}
          crystal PCW_CRYSTAL_PERIPHERAL_FREQMHZ pll PCW_IO_IO_PLL_FREQMHZ
          asked PCW_FPGA0_PERIPHERAL_FREQMHZ achieved PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ
        }
      }
      zynqmp {
        return {
          ip zynq_ultra_ps_e master M_AXI_HPM0_FPD memory S_AXI_HP0_FPD clock pl_clk0 reset pl_resetn0
          clocked {maxihpm0_fpd_aclk saxihp0_fpd_aclk} address_bits 40
          wiring {PSU__USE__M_AXI_GP0 1 PSU__USE__M_AXI_GP1 0 PSU__USE__M_AXI_GP2 0
                  PSU__MAXIGP0__DATA_WIDTH 32 PSU__USE__S_AXI_GP2 1 PSU__SAXIGP2__DATA_WIDTH 64
                  PSU__USE__FABRIC__RST 1 PSU__NUM_FABRIC_RESETS 1 PSU__FPGA_PL0_ENABLE 1
                  PSU__CRL_APB__PL0_REF_CTRL__SRCSEL IOPLL}
          crystal PSU__PSS_REF_CLK__FREQMHZ pll {}
          asked PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ achieved PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ
        }
      }
    }
    error "settings.tcl: processor is '$kind', needs zynq7 or zynqmp"
  }

  proc block_design {} {
    variable settings
    array set ps [processor_of $settings(processor)]
    step "block design: processing system, axi_dma, interconnect, core"
    new_project sbnn
    set_property ip_repo_paths [list [under project ip]] [current_project]
    update_ip_catalog -rebuild
    create_bd_design sbnn

    set cell $ps(ip)_0
    create_bd_cell -type ip -vlnv [newest_ip $ps(ip)] $cell
    # Without a board file, these are all that Vivado knows of the board; its boot image does the rest.
    set values {}
    foreach {name value} [concat $ps(wiring) \
                            [list $ps(crystal) $settings(crystal_mhz) $ps(asked) $settings(clock_mhz)]] {
      lappend values CONFIG.$name $value
    }
    set_property -dict $values [get_bd_cells $cell]
    if {$settings(processor) eq "zynq7"} {
      apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 -config {
        make_external "FIXED_IO, DDR" apply_board_preset "0" Master "Disable" Slave "Disable"
      } [get_bd_cells $cell]
    }

    # One transfer per batch, by polling: no scatter-gather. Rows are multiples of 8 bytes, so no
    # realignment. Bursts of 16 beats are the longest that an AXI3 port takes whole.
    create_bd_cell -type ip -vlnv [newest_ip axi_dma] axi_dma_0
    set_property -dict [list \
      CONFIG.c_include_sg 0 CONFIG.c_sg_length_width 26 \
      CONFIG.c_include_mm2s 1 CONFIG.c_include_mm2s_dre 0 CONFIG.c_mm2s_burst_size 16 \
      CONFIG.c_m_axi_mm2s_data_width 64 CONFIG.c_m_axis_mm2s_tdata_width 64 \
      CONFIG.c_include_s2mm 1 CONFIG.c_include_s2mm_dre 0 CONFIG.c_s2mm_burst_size 16 \
      CONFIG.c_m_axi_s2mm_data_width 64 CONFIG.c_addr_width $ps(address_bits)] [get_bd_cells axi_dma_0]

    create_bd_cell -type ip -vlnv sbnn:sbnn:accelerator:1.0 sbnn_0
    create_bd_cell -type ip -vlnv [newest_ip smartconnect] control
    set_property -dict {CONFIG.NUM_SI 1 CONFIG.NUM_MI 2} [get_bd_cells control]
    create_bd_cell -type ip -vlnv [newest_ip smartconnect] memory
    set_property -dict {CONFIG.NUM_SI 2 CONFIG.NUM_MI 1} [get_bd_cells memory]
    create_bd_cell -type ip -vlnv [newest_ip proc_sys_reset] reset

    foreach {from to} [list \
        $cell/$ps(master)     control/S00_AXI \
        control/M00_AXI       axi_dma_0/S_AXI_LITE \
        control/M01_AXI       sbnn_0/s_axi \
        axi_dma_0/M_AXI_MM2S  memory/S00_AXI \
        axi_dma_0/M_AXI_S2MM  memory/S01_AXI \
        memory/M00_AXI        $cell/$ps(memory) \
        axi_dma_0/M_AXIS_MM2S sbnn_0/s_axis \
        sbnn_0/m_axis         axi_dma_0/S_AXIS_S2MM] {
      connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $to]
    }
    set clocked {control/aclk memory/aclk reset/slowest_sync_clk sbnn_0/aclk axi_dma_0/s_axi_lite_aclk
                 axi_dma_0/m_axi_mm2s_aclk axi_dma_0/m_axi_s2mm_aclk}
    foreach name $ps(clocked) {lappend clocked $cell/$name}
    foreach name $clocked {connect_bd_net [get_bd_pins $cell/$ps(clock)] [get_bd_pins $name]}
    connect_bd_net [get_bd_pins $cell/$ps(reset)] [get_bd_pins reset/ext_reset_in]
    foreach name {control/aresetn memory/aresetn sbnn_0/aresetn axi_dma_0/axi_resetn} {
      connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins $name]
    }
    assign_bd_address
    validate_bd_design
    save_bd_design

    # Timing is checked at the clock that Vivado derived, so that must be the one that was asked for.
    set achieved [get_property CONFIG.$ps(achieved) [get_bd_cells $cell]]
    if {abs($achieved - $settings(clock_mhz)) > 0.01 * $settings(clock_mhz)} {
      error "the processing system gives $achieved MHz, $settings(clock_mhz) MHz are needed"
    }
    if {$ps(pll) ne ""} {
      set pll [get_property CONFIG.$ps(pll) [get_bd_cells $cell]]
      if {abs($pll - $settings(pll_mhz)) > 1} {
        puts "WARNING: Vivado sets the IO PLL to $pll MHz, the boot image to $settings(pll_mhz) MHz:\
              PYNQ sets FCLK0 wrong; set pynq.Clocks.fclk0_mhz to $settings(clock_mhz) after loading"
      }
    }
    generate_target all [get_files sbnn.bd]
    add_files -norecurse [make_wrapper -files [get_files sbnn.bd] -top]
    set_property top sbnn_wrapper [current_fileset]
    update_compile_order -fileset sources_1
  }

  proc plain_design {} {
    step "project of the core in its serial shell"
    new_project sbnn
    add_sources
  }

  # Runs run in processes of their own: their errors are in their logs only.
  proc errors_of_runs {} {
    set lines {}
    foreach run [get_runs] {
      set log [file join [get_property DIRECTORY $run] runme.log]
      if {![file isfile $log]} continue
      set stream [open $log]
      foreach line [split [read $stream] \n] {
        if {[string match "ERROR:*" $line]} {lappend lines "$line (in $run)"}
      }
      close $stream
    }
    return $lines
  }

  proc finish {run jobs args} {
    launch_runs $run {*}$args -jobs $jobs
    wait_on_run $run
    set progress [get_property PROGRESS [get_runs $run]]
    if {$progress ne "100%"} {
      foreach line [errors_of_runs] {puts $line}
      error "$run stopped at $progress: [get_property STATUS [get_runs $run]]"
    }
  }

  # Slack of the worst path in ns; "max" is set-up, "min" is hold.
  proc worst_slack {kind} {
    set paths [get_timing_paths -delay_type $kind -max_paths 1 -nworst 1]
    if {![llength $paths]} {error "Vivado checked no $kind path: the design has no clock constraint"}
    set slack [get_property SLACK [lindex $paths 0]]
    if {$slack eq ""} {error "the worst $kind path has no slack: it is not constrained"}
    return $slack
  }

  proc exactly_one {what found} {
    if {[llength $found] != 1} {error "found [llength $found] $what, needs one: [join $found {, }]"}
    return [lindex $found 0]
  }

  proc collect {} {
    variable settings
    step "check timing and collect reports"
    open_run impl_1
    report_utilization -file [under out utilization.rpt]
    report_utilization -hierarchical -file [under out utilization_hierarchical.rpt]
    report_timing_summary -file [under out timing.rpt]
    report_power -file [under out power.rpt]
    set result [list build_id $settings(build_id) part $settings(part) vivado [version -short] \
      clock_mhz $settings(clock_mhz) setup_slack_ns [worst_slack max] hold_slack_ns [worst_slack min]]
    set stream [open [under out result.txt] w]
    foreach {name value} $result {puts $stream "$name $value"}
    close $stream
    foreach {name text} {setup_slack_ns set-up hold_slack_ns hold} {
      if {[dict get $result $name] < 0} {
        error "timing is not met at $settings(clock_mhz) MHz: worst $text slack is\
               [dict get $result $name] ns; see out/timing.rpt"
      }
    }
    if {$settings(shell) eq "zynq"} {
      # The handoff moved from .srcs to .gen with 2020.2.
      set found {}
      foreach place {sbnn.gen sbnn.srcs} {
        set path [under project sbnn $place sources_1 bd sbnn hw_handoff sbnn.hwh]
        if {[file isfile $path]} {lappend found $path}
      }
      set found [exactly_one "hardware handoffs (.hwh)" $found]
      file copy -force $found [under out $settings(model).hwh]
    }
    set folder [get_property DIRECTORY [get_runs impl_1]]
    set found [exactly_one "bitstreams" [glob -nocomplain -directory $folder *.bit]]
    file copy -force $found [under out $settings(model).bit]
  }

  proc main {} {
    variable settings
    file delete -force [under out] [under project]
    file mkdir [under out]
    read_settings
    check_vivado
    if {$settings(shell) eq "zynq"} {
      package_core
      block_design
    } else {
      plain_design
    }
    set jobs [expr {[info exists ::env(SBNN_JOBS)] ? $::env(SBNN_JOBS) : 4}]
    step "synthesis"
    finish synth_1 $jobs
    step "implementation"
    finish impl_1 $jobs -to_step write_bitstream
    collect
    puts "SBNN done: [under out $settings(model).bit]"
  }
}

if {[catch {sbnn::main} message]} {
  puts "SBNN failed: $message"
  exit 1
}
exit 0
