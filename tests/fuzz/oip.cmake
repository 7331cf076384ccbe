# fuzz_oip: any bytes as an inference request; what is taken is answered. Seeds: seeds/oip.
set(serve ${PROJECT_SOURCE_DIR}/host/serve)
add_executable(fuzz_oip fuzz_oip.c ${serve}/oip.c ${serve}/oip_text.c ${serve}/oip_tensor.c ${serve}/oip_request.c
    ${serve}/oip_response.c ${serve}/base64.c ${PROJECT_SOURCE_DIR}/host/client/text.c)
target_link_libraries(fuzz_oip PRIVATE vkdet_options vkdet PkgConfig::JANSSON m)
target_link_options(fuzz_oip PRIVATE -fsanitize=fuzzer)
