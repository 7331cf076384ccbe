#!/bin/sh
# arrows.sh ROOT: holds the arrows between the rooms, models -> engine <- host, and what the program
# may know. Prints every include that goes the wrong way.
set -eu
cd "$1"
bad=0

# forbid WHY PATTERN FILE...: no line of the files matches
forbid() {
    why=$1
    pattern=$2
    shift 2
    if grep -nE "$pattern" "$@"; then
        printf 'arrows: %s\n' "$why" >&2
        bad=1
    fi
}

files() { find "$@" -name '*.[ch]'; }
include='^[[:space:]]*#[[:space:]]*include[[:space:]]*'

# shellcheck disable=SC2046
{
    forbid 'engine includes a room above it' "${include}[<\"](host|models|vkdet|tests)" $(files engine)
    forbid 'engine knows no Vulkan, threads, or file descriptors' \
        "${include}[<\"](vulkan|volk|pthread|threads|unistd|fcntl|sys/|dirent)" $(files engine)
    forbid 'engine opens no files' '(^|[^a-z_])(fopen|freopen|tmpfile|open) *\(' $(files engine)
    forbid 'models includes a room above it' "${include}[<\"](host|vkdet|vulkan|volk|tests)" $(files models)
    forbid 'shaders includes another room' "${include}\"(host|models|engine|vkdet|tests)" $(files shaders)
    forbid 'only host/vulkan knows Vulkan' "${include}[<\"](vulkan/|volk)" \
        $(files host | grep -v '^host/vulkan/')
    forbid 'host/vulkan hides its Vulkan types from the API' "${include}[<\"](vulkan/|volk)" host/vulkan/vulkan.h
    forbid 'only host/cpu knows oneDNN' "${include}[<\"](oneapi/)?dnnl" $(files host | grep -v '^host/cpu/')
    forbid 'host/cpu knows neither Vulkan, models, pictures nor the API' \
        "${include}\"(host/(vulkan|api|cli|image)|models|shaders)" $(files host/cpu)
    forbid 'host/image knows neither devices nor the API' "${include}\"host/(vulkan|api|cli|backend)" $(files host/image)
    forbid 'rooms of host include the program' "${include}\"host/cli/" $(files host | grep -v '^host/cli/')
}
# client and serve: their own headers and the public one; the program: its own, theirs that it calls, and the public one.
# host/processors.h is the system's count of processors alone, and free to serve and program.
# shellcheck disable=SC2046
{
    if grep -nE "${include}\"" $(files host/client) | grep -vE '"(host/client/[a-z_]+\.h|vkdet\.h)"'; then
        echo 'arrows: host/client includes more than vkdet.h and its own headers' >&2
        bad=1
    fi
    if grep -nE "${include}\"" $(files host/serve) | grep -vE '"(host/(client|serve)/[a-z0-9_]+\.h|host/processors\.h|vkdet\.h)"'; then
        echo 'arrows: host/serve includes more than vkdet.h, host/processors.h, host/client and its own headers' >&2
        bad=1
    fi
    forbid 'only host/serve knows HTTP' "${include}[<\"]microhttpd" $(files host | grep -v '^host/serve/')
}
# shellcheck disable=SC2046
if grep -nE "${include}\"" $(files host/cli) | grep -vE '"(host/(cli|client)/[a-z_]+\.h|host/serve/serve\.h|host/processors\.h|vkdet\.h)"'; then
    echo 'arrows: host/cli includes more than vkdet.h, host/processors.h, host/client, serve.h and its own headers' >&2
    bad=1
fi
if grep -nE "$include" host/include/vkdet.h | grep -vE '<(stddef|stdint)\.h>'; then
    echo 'arrows: vkdet.h must stand alone' >&2
    bad=1
fi
[ "$bad" -eq 0 ] && echo 'arrows: all go the right way'
exit "$bad"
