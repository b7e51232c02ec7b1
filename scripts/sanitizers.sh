#!/bin/sh
# Runs the suites of the kernels and of the life of sessions under what finds wrong accesses to memory and races: the
# address and the thread sanitizer of a nightly Rust, and Miri over the portable kernels. What the machine does not have
# is named and left out.
#
#     scripts/sanitizers.sh [address] [thread] [miri]
#
# Without arguments all three. Builds go to target/sanitizers.
set -eu
cd "$(dirname "$0")/.."
target=$(rustc -vV | sed -n 's/^host: //p')
export CARGO_TARGET_DIR=target/sanitizers
missing=

# What is tested in this process: a child with a limit on its memory has no room for a sanitizer's.
tests="--package cornu-cpu --lib --test main --test allocation"

sanitizer() {
    name=$1
    shift
    library=$(rustc +nightly --print target-libdir 2>/dev/null || true)
    if ! ls "$library"/librustc-nightly_rt."$(echo "$name" | cut -c1)"san.a >/dev/null 2>&1; then
        missing="$missing $name"
        return
    fi
    printf '\n== %s sanitizer\n' "$name"
    # The flag admits a standard library that is not built with the sanitizer.
    RUSTFLAGS="-Zsanitizer=$name -Cunsafe-allow-abi-mismatch=sanitizer" RUSTDOCFLAGS= \
        cargo +nightly test --target "$target" --config profile.dev.package.cornu-cpu.opt-level=1 $tests "$@"
}

for what in ${*:-address thread miri}; do
    case $what in
    # An allocation that is refused comes back as null, as it does without the sanitizer.
    address) ASAN_OPTIONS=allocator_may_return_null=1 sanitizer address ;;
    # What the standard library does to its own threads and channels is not seen, and looks like races.
    thread)
        mkdir -p "$CARGO_TARGET_DIR"
        printf 'race:%s\n' 'test::run_test' 'test::event::CompletedTest' 'std::thread::lifecycle::Packet' \
            'std::thread::thread::Inner' >"$CARGO_TARGET_DIR/known"
        TSAN_OPTIONS=suppressions=$PWD/$CARGO_TARGET_DIR/known sanitizer thread
        ;;
    miri)
        if cargo +nightly miri --version >/dev/null 2>&1; then
            printf '\n== miri\n'
            MIRIFLAGS=-Zmiri-disable-isolation \
                cargo +nightly miri test --package cornu-cpu --lib kernels
        else
            missing="$missing miri"
        fi
        ;;
    *)
        echo "sanitizers.sh: \`address\`, \`thread\` or \`miri\`, not \`$what\`" >&2
        exit 2
        ;;
    esac
done
if [ -n "$missing" ]; then
    printf '\n== not run, since this nightly Rust does not have them:%s\n' "$missing"
fi
