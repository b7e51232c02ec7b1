#!/bin/sh
# Opens files with Keras 2.13 and with the newest Keras 3: see keras_opens.py.
#
#     scripts/check_files.sh [--venvs FOLDER] MODEL.keras MODEL.npz [MODEL.keras MODEL.npz ...]
#
# The two Python environments are made in FOLDER (target/venvs if none is named) and used again the next time.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venvs=$here/../target/venvs
if [ "${1:-}" = --venvs ]; then
    venvs=$2
    shift 2
fi

make_venv() {
    name=$1
    shift
    if [ ! -x "$venvs/$name/bin/python" ]; then
        mkdir -p "$venvs"
        python3.11 -m venv "$venvs/$name"
        "$venvs/$name/bin/pip" install --quiet "$@"
    fi
}
make_venv k213 tensorflow-cpu==2.13.0
make_venv k3 keras tensorflow-cpu

failed=0
for name in k213 k3; do
    "$venvs/$name/bin/python" "$here/keras_opens.py" "$@" || failed=1
done
exit $failed
