# fuzz_request: any bytes as queries, paths, tokens, Hosts, ETags and forms of the server. Seeds: seeds/request.
set(server ${PROJECT_SOURCE_DIR}/host/serve)
add_executable(fuzz_request fuzz_request.c ${server}/address.c ${server}/authority.c ${server}/guard.c ${server}/multipart.c ${server}/query.c
    ${server}/static_files.c)
target_link_libraries(fuzz_request PRIVATE vkdet_options)
target_link_options(fuzz_request PRIVATE -fsanitize=fuzzer)
