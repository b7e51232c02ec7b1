#!/usr/bin/env bash
# Fetches XLA's plugin for processors from PyPI, by its hash, into target/pjrt, and prints where it lies:
# CORNU_PJRT_PLUGIN=$(scripts/pjrt_plugin.sh) cargo test --package cornu-xla
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$PWD/target/pjrt
plugin=$folder/xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so
if [ ! -f "$plugin" ]; then
    if [ "$(uname -sm)" != "Linux x86_64" ]; then
        echo "pjrt_plugin: there is a plugin for Linux on x86_64 only, not for $(uname -sm)" >&2
        exit 1
    fi
    mkdir -p "$folder"
    hash=55837b6b7b47daa717f2d9a5a03563ea0ceaa338d06a81a1e2d3f060d960decc
    echo "xla-cpu-pjrt==0.0.1 --hash=sha256:$hash" >"$folder/requirements.txt"
    python3 -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary=:all: \
        --platform manylinux_2_27_x86_64 --dest "$folder" --requirement "$folder/requirements.txt" >&2
    python3 -m zipfile -e "$folder"/xla_cpu_pjrt-0.0.1-*.whl "$folder" >&2
    rm -f "$folder"/xla_cpu_pjrt-0.0.1-*.whl
fi
echo "$plugin"
