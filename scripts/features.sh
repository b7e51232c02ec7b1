#!/usr/bin/env bash
# Builds and tests what only a feature of tables brings: Arrow, Parquet, polars. It takes some minutes and a few hundred
# crates the first time, so it is not a part of every change; with names it takes those features alone.
# scripts/features.sh [arrow] [parquet] [polars]
set -euo pipefail
cd "$(dirname "$0")/.."

for feature in "${@:-arrow parquet polars}"; do
    for one in $feature; do
        printf '\n== %s\n' "$one"
        cargo clippy --package cornu-data --all-targets --features "$one" -- -D warnings
        cargo test --package cornu-data --features "$one"
    done
done
