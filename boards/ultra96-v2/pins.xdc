# SPDX-License-Identifier: Apache-2.0
# Ultra96-V2. The clock is PL0 of the processing system; the two radio LEDs hang on bank 26 at 1.8 V.
set_property -dict {PACKAGE_PIN A9 IOSTANDARD LVCMOS18} [get_ports {led[0]}]
set_property -dict {PACKAGE_PIN B9 IOSTANDARD LVCMOS18} [get_ports {led[1]}]
