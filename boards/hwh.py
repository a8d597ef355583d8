"""Write the hardware handoff (.hwh) of a bitstream that Vivado has not made, as PYNQ's Overlay reads it."""

import re
from xml.sax.saxutils import quoteattr

from sbnn.boards.board import Board, BoardError
from sbnn.hls.manifest import Manifest

# In the open flow the shell answers in all of M_AXI_GP0's space; this is the page that the driver uses.
BASE, SIZE = 0x43C00000, 0x1000
CORE, CORE_VLNV = "sbnn_0", "sbnn:sbnn:accelerator:1.0"
_PS = "processing_system7"
_MOST_DIVISOR = 63


def hwh_text(board: Board, manifest: Manifest) -> str:
    """Return the handoff of a Zynq-7000 design with sbnn_0 on M_AXI_GP0, clocked by FCLK0.

    PYNQ takes three things from it: which clocks to start with which divisors, the address of sbnn_0,
    and its VLNV. The text holds no date: equal inputs, equal bytes.

    Raises:
        BoardError: the board is no Zynq-7000.
    """
    if board.processor is None or board.processor.kind != "zynq7":
        raise BoardError(f"{board.name}: the open handoff is for a Zynq-7000, not {board.part}")
    divisors = fclk_divisors(board.processor.pll_mhz, board.clock.mhz)
    settings = [
        f'<PARAMETER NAME="{name}" VALUE="{value}"/>' for name, value in _clocks(divisors).items()
    ]
    device, package, speed = _part(board.part)
    high = BASE + SIZE - 1
    return f"""\
<?xml version="1.0" encoding="UTF-8" standalone="no" ?>
<!-- Written by sbnn for the open flow; build {manifest.build_id}. -->
<EDKSYSTEM EDWVERSION="1.2" TIMESTAMP="Thu Jan  1 00:00:00 1970" VIVADOVERSION="2022.1">
  <SYSTEMINFO ARCH="zynq" DEVICE="{device}" NAME={quoteattr(manifest.model)} PACKAGE="{package}" \
SPEEDGRADE="{speed}"/>
  <EXTERNALPORTS/>
  <EXTERNALINTERFACES/>
  <MODULES>
    <MODULE FULLNAME="/{_PS}_0" INSTANCE="{_PS}_0" IS_PL="FALSE" MODTYPE="{_PS}" \
VLNV="xilinx.com:ip:{_PS}:5.5">
      <PARAMETERS>
        {_lines(settings, 8)}
      </PARAMETERS>
      <BUSINTERFACES>
        <BUSINTERFACE NAME="M_AXI_GP0" TYPE="MASTER" VLNV="xilinx.com:interface:aximm:1.0"/>
      </BUSINTERFACES>
      <MEMORYMAP>
        <MEMRANGE ADDRESSBLOCK="reg0" BASENAME="C_BASEADDR" BASEVALUE="0x{BASE:08X}" \
HIGHNAME="C_HIGHADDR" HIGHVALUE="0x{high:08X}" INSTANCE="{CORE}" IS_DATA="TRUE" \
MASTERBUSINTERFACE="M_AXI_GP0" MEMTYPE="REGISTER" SLAVEBUSINTERFACE="s_axi"/>
      </MEMORYMAP>
    </MODULE>
    <MODULE FULLNAME="/{CORE}" INSTANCE="{CORE}" IPTYPE="PERIPHERAL" IS_PL="TRUE" \
MODTYPE="accelerator" VLNV="{CORE_VLNV}">
      <PARAMETERS>
        <PARAMETER NAME="BUILD_ID" VALUE="0x{manifest.build_id}"/>
      </PARAMETERS>
      <BUSINTERFACES>
        <BUSINTERFACE NAME="s_axi" TYPE="SLAVE" VLNV="xilinx.com:interface:aximm:1.0"/>
      </BUSINTERFACES>
    </MODULE>
  </MODULES>
</EDKSYSTEM>
"""


def fclk_divisors(pll_mhz: float, clock_mhz: float) -> tuple[int, int]:
    """Return the two dividers, 1 to 63 each, between the IO PLL and FCLK0.

    Raises:
        BoardError: no pair of them gives the frequency exactly.
    """
    whole = round(pll_mhz / clock_mhz)
    if abs(pll_mhz / clock_mhz - whole) < 1e-6:
        for first in range(min(whole, _MOST_DIVISOR), 0, -1):
            if whole % first == 0 and whole // first <= _MOST_DIVISOR:
                return first, whole // first
    raise BoardError(f"FCLK0: {clock_mhz:g} MHz is not the IO PLL's {pll_mhz:g} MHz by a divider")


def _clocks(divisors: tuple[int, int]) -> dict[str, str]:
    """Return the parameters of the four clocks of the fabric, of which only FCLK0 runs."""
    table = {}
    for clock in range(4):
        first, second = divisors if clock == 0 else (1, 1)
        table[f"PCW_FPGA_FCLK{clock}_ENABLE"] = str(int(clock == 0))
        table[f"PCW_FCLK{clock}_PERIPHERAL_CLKSRC"] = "IO PLL"
        table[f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR0"] = str(first)
        table[f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR1"] = str(second)
    return table


def _part(part: str) -> tuple[str, str, str]:
    """Return device, package and speed grade of "xc7z020clg400-1" as a handoff writes them."""
    found = re.fullmatch(r"xc(7z\d+)([a-z]+\d+)(-\w+)", part)
    if found is None:
        raise BoardError(f"part {part}: not a Zynq-7000")
    return found[1], found[2], found[3]


def _lines(lines: list[str], indent: int) -> str:
    return ("\n" + " " * indent).join(lines)
