"""A Zynq build folder with a deploy folder in it, as the Vivado and the open flow leave them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sbnn.boards.board import load_board
from sbnn.boards.hwh import hwh_text
from sbnn.hls import reference
from sbnn.hls.design import Choices, make_design, make_manifest
from sbnn.hls.manifest import Link, Manifest, manifest_text
from sbnn.hls.network import Network
from sbnn.hls.stitch import rtl_files

BOARD = load_board("pynq-z2")
# What Vivado writes of an axi_dma that boards/vivado sets up.
DMA_SETTINGS = {
    "c_include_sg": 0,
    "c_sg_length_width": 26,
    "c_micro_dma": 0,
    "c_include_mm2s": 1,
    "c_include_mm2s_dre": 0,
    "c_m_axi_mm2s_data_width": 64,
    "c_mm2s_burst_size": 16,
    "c_include_s2mm": 1,
    "c_include_s2mm_dre": 0,
    "c_m_axi_s2mm_data_width": 64,
    "c_s2mm_burst_size": 16,
}


def zynq_build(
    network: Network, images: NDArray[np.uint8], labels: NDArray[np.int64], dma: str, folder: Path
) -> Path:
    """Write build/<model>/pynq-z2 with its deploy folder; return the latter.

    Args:
        network: the network.
        images: test images.
        labels: their labels.
        dma: "own" or "axi_dma".
        folder: where build/<model> goes.
    """
    build = folder / network.name / BOARD.name
    deploy = build / "deploy"
    deploy.mkdir(parents=True)
    design = make_design(network, Choices(levels_per_stage=BOARD.levels_per_stage))
    files = rtl_files(design)
    for name, text in files.items():
        (build / name).parent.mkdir(exist_ok=True)
        (build / name).write_text(text)
    manifest = make_manifest(design, BOARD.name, files)
    (build / "manifest.json").write_text(manifest_text(manifest))
    link = Link(kind="zynq", baud=0, dma=dma, clock_mhz=BOARD.clock.mhz)
    (deploy / "manifest.json").write_text(manifest_text(replace(manifest, link=link)))
    for place in (build.parent, deploy):
        network.save(place / "network.npz")
    answer = reference.run(network, images)
    np.savez(
        deploy / "images.npz",
        images=images,
        labels=labels,
        classes=answer.classes,
        scores=answer.scores,
    )
    (deploy / f"{network.name}.bit").write_bytes(b"the fabric is simulated from the Verilog")
    (deploy / f"{network.name}.hwh").write_text(handoff(manifest, dma))
    return deploy


def handoff(manifest: Manifest, dma: str) -> str:
    """Return the .hwh of the open flow, with axi_dma_0 beside sbnn_0 as in Vivado's."""
    text = hwh_text(BOARD, manifest)
    if dma == "own":
        return text
    settings = "".join(f'<PARAMETER NAME="{k}" VALUE="{v}"/>' for k, v in DMA_SETTINGS.items())
    module = (
        '<MODULE FULLNAME="/axi_dma_0" INSTANCE="axi_dma_0" IPTYPE="PERIPHERAL" IS_PL="TRUE" '
        'MODTYPE="axi_dma" VLNV="xilinx.com:ip:axi_dma:7.1">'
        f"<PARAMETERS>{settings}</PARAMETERS><BUSINTERFACES>"
        '<BUSINTERFACE NAME="S_AXI_LITE" TYPE="SLAVE" VLNV="xilinx.com:interface:aximm:1.0"/>'
        "</BUSINTERFACES></MODULE>"
    )
    place = (
        '<MEMRANGE ADDRESSBLOCK="Reg" BASENAME="C_BASEADDR" BASEVALUE="0x40400000" '
        'HIGHNAME="C_HIGHADDR" HIGHVALUE="0x4040FFFF" INSTANCE="axi_dma_0" IS_DATA="TRUE" '
        'MASTERBUSINTERFACE="M_AXI_GP0" MEMTYPE="REGISTER" SLAVEBUSINTERFACE="S_AXI_LITE"/>'
    )
    return text.replace("</MEMORYMAP>", f"{place}</MEMORYMAP>").replace(
        "  </MODULES>", f"{module}</MODULES>"
    )
