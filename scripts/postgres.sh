#!/usr/bin/env bash
# A server of PostgreSQL for tests, on a socket in a folder: no port, no password, nothing outside the folder.
# scripts/postgres.sh find | start FOLDER | stop FOLDER | crash FOLDER
set -euo pipefail

for bin in "$(dirname "$(command -v initdb || echo .)")" /usr/lib/postgresql/*/bin /usr/local/pgsql/bin; do
    if [ -x "$bin/initdb" ] && [ -x "$bin/pg_ctl" ]; then
        break
    fi
    bin=
done
if [ -z "$bin" ]; then
    echo "postgres: there is no server installed (\`initdb\` and \`pg_ctl\`, on the PATH or under /usr/lib/postgresql)" >&2
    exit 1
fi

# The server refuses to run as root.
as_user() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
    else
        "$@"
    fi
}

case ${1:-} in
find) echo "$bin" ;;
start)
    cd "$2"
    if [ ! -d data ]; then
        mkdir data
        [ "$(id -u)" != 0 ] || chown postgres data .
        as_user "$bin/initdb" --pgdata=data --username=tests --auth=trust --encoding=UTF8 --locale=C --no-sync >initdb.log
    fi
    as_user "$bin/pg_ctl" --pgdata=data --log=data/log --wait --options="-c listen_addresses= -k $PWD" start >/dev/null
    ;;
stop) cd "$2" && as_user "$bin/pg_ctl" --pgdata=data --mode=fast --wait stop >/dev/null ;;
crash) cd "$2" && as_user "$bin/pg_ctl" --pgdata=data --mode=immediate --wait stop >/dev/null ;;
*) echo "postgres: needs find, start, stop or crash" >&2 && exit 2 ;;
esac
