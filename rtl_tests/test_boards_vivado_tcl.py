"""The Vivado script in a real Tcl, against a stand-in that knows Vivado's names and stops on others."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import sbnn.boards

SCRIPT = Path(sbnn.boards.__file__).parent / "vivado" / "build.tcl"
STUBS = Path(__file__).parent / "vivado_stubs.tcl"
TOP = """module sbnn_accelerator (
  input wire aclk, input wire aresetn, input wire s_axi_awvalid,
  input wire s_axis_tvalid, output wire m_axis_tvalid
);
endmodule
"""
pytestmark = pytest.mark.skipif(shutil.which("tclsh") is None, reason="needs tclsh (package tcl)")


def settings(**changes: str) -> str:
    values = {
        "model": "demo",
        "board": "pynq-z2",
        "build_id": "0123456789abcdef",
        "part": "xc7z020clg400-1",
        "shell": "zynq",
        "processor": "zynq7",
        "crystal_mhz": "50",
        "pll_mhz": "1000",
        "clock_mhz": "100",
        "top": "sbnn_accelerator",
        "sources": "rtl/demo.sv shell/sbnn_accelerator.v",
        "constraints": "",
    } | changes
    return (
        "array set ::sbnn::settings {\n"
        + "".join(f"  {name} {{{text}}}\n" for name, text in values.items())
        + "}\n"
    )


def project(folder: Path, **changes: str) -> Path:
    for name, text in {
        "build.tcl": SCRIPT.read_text(),
        "settings.tcl": settings(**changes),
        "rtl/demo.sv": "module demo;\nendmodule\n",
        "shell/sbnn_accelerator.v": TOP,
        "shell/demo_top.sv": "module demo_top;\nendmodule\n",
        "shell/pins.xdc": "# pins\n",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def vivado(
    folder: Path, scenario: str = "none", version: str = "2024.1"
) -> subprocess.CompletedProcess[str]:
    script = (folder / "build.tcl").as_posix()
    arguments = ["-mode", "batch", "-nojournal", "-nolog", "-notrace", "-source", script]
    calls = {"STUB_CALLS": str(folder / "calls.tcl")}
    return subprocess.run(
        ["tclsh", str(STUBS), *arguments],
        cwd=folder,  # the script must not depend on it, but the recorder writes there
        env=os.environ | {"STUB_SCENARIO": scenario, "STUB_VIVADO": version} | calls,
        capture_output=True,
        text=True,
        check=False,
    )


def calls(folder: Path) -> list[str]:
    return (folder / "calls.tcl").read_text().splitlines()


@pytest.mark.parametrize(
    ("version", "place"),
    [("2019.2", "srcs"), ("2020.1", "srcs"), ("2020.2", "gen"), ("2025.1", "gen")],
)
def test_old_and_new_layouts(tmp_path: Path, version: str, place: str) -> None:
    done = vivado(project(tmp_path), version=version)
    out = tmp_path / "out"
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"SBNN done: {out / 'demo.bit'}"
    assert (out / "demo.bit").read_text() == "bitstream of sbnn_wrapper for xc7z020clg400-1"
    assert version in (out / "demo.hwh").read_text()
    assert (tmp_path / f"project/sbnn/sbnn.{place}").is_dir()
    assert (out / "result.txt").read_text() == (
        "build_id 0123456789abcdef\npart xc7z020clg400-1\n"
        f"vivado {version}\nclock_mhz 100\nsetup_slack_ns 1.25\nhold_slack_ns 0.05\n"
    )
    reports = {"utilization.rpt", "utilization_hierarchical.rpt", "timing.rpt", "power.rpt"}
    assert reports < {path.name for path in out.iterdir()}
    steps = [line for line in done.stdout.splitlines() if line.startswith("SBNN step")]
    assert [line.split(":")[0] for line in steps] == [f"SBNN step {n}/6" for n in range(1, 7)]


def test_what_is_asked_of_vivado(tmp_path: Path) -> None:
    vivado(project(tmp_path))
    made = calls(tmp_path)
    assert "create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma:7.1 axi_dma_0" in made
    assert "create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect:1.10 memory" in made, (
        "the newest, by number and not by letter: 1.10 comes after 1.9"
    )
    assert "create_bd_cell -type ip -vlnv sbnn:sbnn:accelerator:1.0 sbnn_0" in made
    wiring = [line.split(" ", 1)[1] for line in made if line.startswith("connect_bd_intf_net")]
    assert wiring == [
        "processing_system7_0/M_AXI_GP0 control/S00_AXI",
        "control/M00_AXI axi_dma_0/S_AXI_LITE",
        "control/M01_AXI sbnn_0/s_axi",
        "axi_dma_0/M_AXI_MM2S memory/S00_AXI",
        "axi_dma_0/M_AXI_S2MM memory/S01_AXI",
        "memory/M00_AXI processing_system7_0/S_AXI_HP0",
        "axi_dma_0/M_AXIS_MM2S sbnn_0/s_axis",
        "sbnn_0/m_axis axi_dma_0/S_AXIS_S2MM",
    ]
    whole = "\n".join(made)
    for setting in (
        "CONFIG.c_include_sg 0",
        "CONFIG.c_sg_length_width 26",
        "CONFIG.c_m_axi_mm2s_data_width 64",
        "CONFIG.PCW_S_AXI_HP0_DATA_WIDTH 64",
        "CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ 100",
        "CONFIG.PCW_CRYSTAL_PERIPHERAL_FREQMHZ 50",
        "CONFIG.PCW_ENET0_ENET0_IO {MIO 16 .. 27}",
    ):
        assert setting in whole
    assert "board_part" not in whole
    assert "launch_runs impl_1 -to_step write_bitstream -jobs 4" in made


def test_zynq_mpsoc(tmp_path: Path) -> None:
    board = {"board": "zcu104", "part": "xczu7ev-ffvc1156-2-e", "processor": "zynqmp"}
    board["crystal_mhz"], board["pll_mhz"] = "33.333", "1500"
    done = vivado(project(tmp_path, **board))
    assert done.returncode == 0, done.stdout + done.stderr
    whole = "\n".join(calls(tmp_path))
    assert "connect_bd_intf_net memory/M00_AXI zynq_ultra_ps_e_0/S_AXI_HP0_FPD" in whole
    assert "CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ 100" in whole
    assert "CONFIG.c_addr_width 40" in whole
    assert "CONFIG.PSU__PSS_REF_CLK__FREQMHZ 33.333" in whole
    assert "apply_bd_automation" not in whole
    assert (tmp_path / "out" / "demo.hwh").is_file()


def test_fpga_without_a_processor(tmp_path: Path) -> None:
    board = {"shell": "uart", "processor": "", "part": "xc7a35ticsg324-1L", "top": "demo_top"}
    design = {"sources": "rtl/demo.sv shell/demo_top.sv", "constraints": "shell/pins.xdc"}
    done = vivado(project(tmp_path, **board, **design))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / "demo.bit").read_text() == (
        "bitstream of demo_top for xc7a35ticsg324-1L"
    )
    assert not (tmp_path / "out" / "demo.hwh").exists()
    made = "\n".join(calls(tmp_path))
    assert f"add_files -fileset constrs_1 -norecurse {tmp_path}/shell/pins.xdc" in made
    assert "create_bd_cell" not in made


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        (
            "no_part",
            (
                "the part xc7z020clg400-1 of pynq-z2 is not installed in this Vivado; "
                "add its device family with Vivado's installer"
            ),
        ),
        ("no_ip", "the IP axi_dma is not in the catalogue of Vivado 2024.1"),
        ("slow_clock", "the processing system gives 80.0 MHz, 100 MHz are needed"),
        ("synth_fails", "synth_1 stopped at 42%: synth_design ERROR"),
        ("route_fails", "impl_1 stopped at 42%: write_bitstream ERROR"),
        (
            "setup",
            "timing is not met at 100 MHz: worst set-up slack is -0.312 ns; see out/timing.rpt",
        ),
        ("hold", "timing is not met at 100 MHz: worst hold slack is -0.021 ns; see out/timing.rpt"),
        ("unconstrained", "Vivado checked no max path: the design has no clock constraint"),
    ],
)
def test_misfortunes(tmp_path: Path, scenario: str, message: str) -> None:
    done = vivado(project(tmp_path), scenario)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == f"SBNN failed: {message}"
    assert not (tmp_path / "out" / "demo.bit").exists()
    if scenario == "synth_fails":
        assert "ERROR: [Synth 8-439] module 'nothing' not found [top.sv:7] (in @run:synth_1)" in (
            done.stdout
        )
    if scenario == "setup":
        assert (tmp_path / "out" / "timing.rpt").is_file(), "the reports say where it is too slow"


def test_another_pll_is_a_warning(tmp_path: Path) -> None:
    done = vivado(project(tmp_path), "other_pll")
    assert done.returncode == 0
    assert (
        "WARNING: Vivado sets the IO PLL to 1600.0 MHz, the boot image to 1000 MHz: "
        "PYNQ sets FCLK0 wrong; set pynq.Clocks.fclk0_mhz to 100 after loading"
    ) in done.stdout


def test_missing_handoff(tmp_path: Path) -> None:
    done = vivado(project(tmp_path), "no_handoff")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("SBNN failed: found 0 hardware handoffs (.hwh)")
    assert not (tmp_path / "out" / "demo.bit").exists()


def test_old_vivado(tmp_path: Path) -> None:
    done = vivado(project(tmp_path), version="2018.3")
    assert done.stdout.splitlines()[-1] == (
        "SBNN failed: Vivado 2018.3 is too old; 2019.1 or newer is needed"
    )


def test_missing_source(tmp_path: Path) -> None:
    (project(tmp_path) / "rtl" / "demo.sv").unlink()
    done = vivado(tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "SBNN failed: rtl/demo.sv is missing beside build.tcl"


def test_products_of_an_earlier_run_are_gone(tmp_path: Path) -> None:
    assert vivado(project(tmp_path)).returncode == 0
    assert vivado(tmp_path, "setup").returncode == 1
    assert not (tmp_path / "out" / "demo.bit").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("axi_dma_0/m_axi_s2mm_aclk", "", "axi_dma_0/m_axi_s2mm_aclk is not connected"),
        ("c_sg_length_width", "c_sg_lenght_width", "no property CONFIG.c_sg_lenght_width"),
        ("control/M01_AXI       sbnn_0/s_axi", "control/M01_AXI sbnn_0/S_AXI", "No interface pins"),
        ("validate_bd_design", "", "the block design is not validated"),
        ("validate_bd_design", "validate_design", 'invalid command name "validate_design"'),
        ("set found {}", "set found [lmap x {} {set x}]", 'invalid command name "lmap"'),
        ("-delay_type $kind", "-delay $kind", "Unknown option '-delay'"),
        ("reset/ext_reset_in", "reset/aux_reset", "No pins matched 'reset/aux_reset'"),
    ],
)
def test_the_stand_in_finds_mistakes(tmp_path: Path, old: str, new: str, message: str) -> None:
    """A test on stubs is worth what the stubs refuse: each of these must stop the script."""
    text = SCRIPT.read_text()
    assert old in text
    project(tmp_path)
    (tmp_path / "build.tcl").write_text(text.replace(old, new))
    done = vivado(tmp_path)
    assert done.returncode == 1
    assert message in done.stdout.splitlines()[-1]
