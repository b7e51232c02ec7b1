#!/bin/sh
# Opens files with Keras 2.13 and with the newest Keras 3: see keras_opens.py. Without files it trains and saves the
# lessons' models (the example `saved`) and opens those.
#
#     scripts/check_files.sh [--venvs FOLDER] [MODEL.keras MODEL.npz ...]
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

if [ $# = 0 ]; then
    saved=$here/../target/saved
    (cd "$here/.." && cargo run --quiet --release --example saved "$saved")
    for model in "$saved"/*.keras; do
        set -- "$@" "$model" "${model%.keras}.npz"
    done
fi

failed=0
for name in k213 k3; do
    "$venvs/$name/bin/python" "$here/keras_opens.py" "$@" || failed=1
done
exit $failed
