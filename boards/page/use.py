"""How to load the bitstream and use it, and which files the build consists of."""

from sbnn.boards.page.facts import Facts, File
from sbnn.boards.page.markup import Node, element, plural, table
from sbnn.hls.manifest import Manifest

CODE = """\
from sbnn.boards.driver import open_accelerator

with open_accelerator({arguments}) as accelerator:
    classes = accelerator.infer(images)   # (N, {shape}) uint8 -> (N,) int64
"""
PORT = "/dev/ttyUSB0"


def use(facts: Facts) -> list[Node]:
    """Return the paragraphs on loading and using the bitstream."""
    board, manifest = facts.board, facts.manifest
    shape = ", ".join(str(n) for n in manifest.shape)
    if board.shell == "zynq":
        where = "Copy deploy/ from this folder to the board, and check it there, as root:"
        commands = (
            f"scp -r deploy xilinx@pynq:{manifest.model}\npython3 {manifest.model}/validate.py"
        )
        arguments = f'"{manifest.model}"'
    else:
        name = facts.bitfile or f"bitfile/{manifest.model}.bit"
        where = "Load it from this folder, and check it through the serial port:"
        load = board.program.replace("{bit}", name)
        commands = f"{load}\npython3 deploy/validate.py --port {PORT}"
        arguments = f'"deploy", port="{PORT}"'
    return [
        *_missing(facts),
        element("p", where),
        _code(commands),
        element("p", "Then, in Python; deploy/notebooks/ shows more:"),
        _code(CODE.format(arguments=arguments, shape=shape)),
        element(
            "p",
            f"An image is {_image(manifest)}, sent as "
            f"{plural(manifest.in_beats, 'beat')} of {manifest.in_beat_bits} bits; a result is the class"
            + (" and its scores" if len(manifest.fields) > 1 else "")
            + f" in fields of {manifest.field_bits} bits, {plural(manifest.out_beats, 'beat')} of "
            f"{manifest.out_beat_bits} bits. The driver packs and unpacks both, and compares the "
            f"build id {manifest.build_id} with the hardware's before it sends anything.",
        ),
    ]


def _image(manifest: Manifest) -> str:
    if manifest.encoding == "bytes":
        return f"{manifest.image_bytes:,} bytes (the pixels)"
    return f"{manifest.bits:,} bits (pixel >= {manifest.threshold})"


def _missing(facts: Facts) -> list[Node]:
    if facts.bitfile is not None:
        return []
    return [
        element(
            "p",
            element("strong", "There is no bitstream yet."),
            f" make bitstream makes it, and deploy/, with the tools of one of {facts.board.name}'s "
            f"ways ({', '.join(facts.board.flows)}); what follows then holds.",
            class_="not-run",
        )
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
