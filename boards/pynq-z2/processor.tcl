# SPDX-License-Identifier: Apache-2.0
# What Vivado must know of the processing system of a PYNQ-Z2, since it gets no board file. The crystal
# and the Ethernet MAC make the IO PLL run at 1000 MHz, as the boot image sets it: PYNQ loads the divisors
# of FCLK0 that Vivado derives from it (without the MAC Vivado may choose 1600 MHz). The memory fixes what
# HP0 reaches.
PCW_CRYSTAL_PERIPHERAL_FREQMHZ 50
PCW_APU_PERIPHERAL_FREQMHZ 650
PCW_ENET0_PERIPHERAL_ENABLE 1
PCW_ENET0_ENET0_IO {MIO 16 .. 27}
PCW_UIPARAM_DDR_BUS_WIDTH {16 Bit}
PCW_UIPARAM_DDR_PARTNO {MT41J256M16 RE-125}
