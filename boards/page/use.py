"""How to load the bitstream and use it, and which files the build consists of."""

from sbnn.boards.page.facts import Facts, File
from sbnn.boards.page.markup import Node, element, plural, table

LINES = {
    "uart": """\
from sbnn.boards.driver import open_accelerator

with open_accelerator(".", port="/dev/ttyUSB0") as accelerator:   # this build folder
    classes = accelerator.infer(images)    # {images} uint8 -> (N,) int64
    print(accelerator.timing)
""",
    "zynq": """\
from sbnn.boards.driver import open_accelerator

with open_accelerator(".") as accelerator:   # the copied folder; loads the overlay
    classes = accelerator.infer(images)    # {images} uint8 -> (N,) int64
    print(accelerator.transport, accelerator.timing)
""",
}


def use(facts: Facts) -> list[Node]:
    """Return the paragraphs on loading and using the bitstream."""
    board, manifest = facts.board, facts.manifest
    name = f"bitfile/{manifest.model}.bit"
    shape = ", ".join(str(n) for n in manifest.shape)
    code = LINES[board.shell].format(images=f"(N, {shape})")
    if facts.bitfile is None:
        first = [
            element(
                "p",
                element("strong", f"There is no {name} yet."),
                " With the tools of one of this board's ways to a bitstream (",
                ", ".join(board.flows),
                ") installed, ",
                element("code", "make bitstream"),
                " makes it, and what follows then holds.",
                class_="not-run",
            )
        ]
    else:
        first = []
    if board.shell == "zynq":
        load = "Copy the folder deploy/ to the board; the driver there loads the overlay, as in:"
    else:
        load = "Load it from this build folder:"
    return [
        *first,
        element("p", load),
        _code(board.program.replace("{bit}", name)),
        element("p", "Then, in Python:"),
        _code(code),
        element(
            "p",
            f"An image is {manifest.bits:,} bits (pixel >= {manifest.threshold}), sent as "
            f"{plural(manifest.in_beats, 'beat')} of {manifest.in_beat_bits} bits; a result is the class"
            + (" and its scores" if len(manifest.fields) > 1 else "")
            + f" in fields of {manifest.field_bits} bits, {plural(manifest.out_beats, 'beat')} of "
            f"{manifest.out_beat_bits} bits. The driver packs and unpacks both, and compares the "
            f"build id {manifest.build_id} with the hardware's before it sends anything.",
        ),
    ]


def file_table(files: tuple[File, ...]) -> Node:
    """Return a table of the files of the build with sizes and SHA-256."""
    rows = [
        (file.name, f"{file.size:,}", element("code", file.digest, class_="digest"))
        for file in files
    ]
    return table(("file", "bytes", "SHA-256"), rows, "Paths are from the build folder")


def _code(text: str) -> Node:
    return element(
        "pre", element("code", text.rstrip("\n")), tabindex="0", role="group", aria_label="code"
    )
