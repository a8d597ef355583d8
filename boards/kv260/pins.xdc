# SPDX-License-Identifier: Apache-2.0
# KV260. The clock is PL0 of the processing system, and no LED hangs on the PL: no pin is used.
