# fuzz_framing: any bytes as the headers of a request, whose framing must have one reading. Seeds: seeds/framing.
if(MICROHTTPD_FOUND)
    add_executable(fuzz_framing fuzz_framing.c ${PROJECT_SOURCE_DIR}/host/serve/framing.c)
    target_link_libraries(fuzz_framing PRIVATE vkdet_options)
    target_include_directories(fuzz_framing SYSTEM PRIVATE ${MICROHTTPD_INCLUDE_DIRS})
    target_link_options(fuzz_framing PRIVATE -fsanitize=fuzzer)
endif()
