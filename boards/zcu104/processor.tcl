# SPDX-License-Identifier: Apache-2.0
# What Vivado must know of the processing system, since it gets no board file: the crystal. The boot
# image has set up memory and peripherals.
PSU__PSS_REF_CLK__FREQMHZ 33.333
