"""The ports of the Zynq shell's tops: which there are, how they are declared, what Vivado must know."""

from dataclasses import dataclass

BEAT_BITS = 64


@dataclass(frozen=True)
class Port:
    """A port of a module.

    Attributes:
        name: as in the Verilog.
        direction: "input" or "output".
        bits: width.
    """

    name: str
    direction: str
    bits: int

    @property
    def range(self) -> str:
        """The Verilog range, empty for a single bit."""
        return f"[{self.bits - 1}:0]" if self.bits > 1 else ""

    @property
    def is_input(self) -> bool:
        """Whether the module reads it."""
        return self.direction == "input"


def _axi(prefix: str, signals: str, address: int, data: int, ident: int) -> list[Port]:
    """Return the ports of an AXI slave, or of a master where `prefix` begins with m.

    `signals` are in the order of the ports; those that a slave drives begin with a dash.
    """
    by_suffix = {
        "addr": address, "len": 4, "size": 3, "burst": 2, "cache": 4, "prot": 3,
        "data": data, "strb": data // 8, "resp": 2, "id": ident,
    }  # fmt: skip
    ports = []
    for signal in signals.split():
        name = signal.lstrip("-")
        bits = next((by_suffix[end] for end in by_suffix if name.endswith(end)), 1)
        bits = 1 if name.endswith("valid") else bits
        driven = signal.startswith("-") != prefix.startswith("m")
        ports.append(Port(f"{prefix}_{name}", "output" if driven else "input", bits))
    return ports


_LITE = (
    "awaddr awprot awvalid -awready wdata wstrb wvalid -wready -bresp -bvalid bready "
    "araddr arprot arvalid -arready -rdata -rresp -rvalid rready"
)
_REGISTERS = (
    "awid awaddr awlen awsize awburst awvalid -awready wdata wstrb wlast wvalid -wready "
    "-bid -bresp -bvalid bready "
    "arid araddr arlen arsize arburst arvalid -arready -rid -rdata -rresp -rlast -rvalid rready"
)
_MEMORY = (
    "awid awaddr awlen awsize awburst awcache awprot awvalid -awready wid wdata wstrb wlast wvalid -wready "
    "-bid -bresp -bvalid bready "
    "arid araddr arlen arsize arburst arcache arprot arvalid -arready "
    "-rid -rdata -rresp -rlast -rvalid rready"
)
CLOCK = [Port("aclk", "input", 1), Port("aresetn", "input", 1)]
S_AXI_LITE = _axi("s_axi", _LITE, address=12, data=32, ident=0)
S_AXI = _axi("s_axi", _REGISTERS, address=32, data=32, ident=12)
M_AXI = _axi("m_axi", _MEMORY, address=32, data=BEAT_BITS, ident=6)
S_AXIS = [
    Port("s_axis_tdata", "input", BEAT_BITS),
    Port("s_axis_tvalid", "input", 1),
    Port("s_axis_tready", "output", 1),
    Port("s_axis_tlast", "input", 1),
]
M_AXIS = [
    Port("m_axis_tdata", "output", BEAT_BITS),
    Port("m_axis_tvalid", "output", 1),
    Port("m_axis_tready", "input", 1),
    Port("m_axis_tlast", "output", 1),
]
STATE = [Port("busy", "output", 1), Port("error", "output", 1)]


def wire(port: Port) -> str:
    """Return a wire of a port's name and width."""
    return f"  wire {port.range:>6} {port.name};"


def declared(port: Port, marks: bool) -> str:
    """Return the declaration of a port, with Vivado's attributes where they are wanted."""
    lines = [f"  {port.direction:6} wire {port.range:>6} {port.name}"]
    if marks:
        lines = [f"  (* {mark} *)" for mark in _marks(port)] + lines
    return "\n".join(lines)


def _marks(port: Port) -> list[str]:
    """Return the attributes that tell Vivado to which interface a port belongs."""
    if port.name == "aclk":
        parameter = (
            "XIL_INTERFACENAME aclk, ASSOCIATED_BUSIF s_axi:s_axis:m_axis, ASSOCIATED_RESET aresetn"
        )
        info = "xilinx.com:signal:clock:1.0 aclk CLK"
    elif port.name == "aresetn":
        parameter = "XIL_INTERFACENAME aresetn, POLARITY ACTIVE_LOW"
        info = "xilinx.com:signal:reset:1.0 aresetn RST"
    else:
        bus, signal = port.name.rsplit("_", 1)
        kind = "axis" if bus.endswith("axis") else "aximm"
        info = f"xilinx.com:interface:{kind}:1.0 {bus} {signal.upper()}"
        first = {"s_axi_awaddr": "XIL_INTERFACENAME s_axi, PROTOCOL AXI4LITE, DATA_WIDTH 32"}
        parameter = first.get(port.name, "")
    marks = [f'X_INTERFACE_PARAMETER = "{parameter}"'] if parameter else []
    return [*marks, f'X_INTERFACE_INFO = "{info}"']
