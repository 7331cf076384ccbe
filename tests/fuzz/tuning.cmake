# fuzz_tuning: any bytes as the file that the tuner keeps. Needs no driver.
set(vulkan ${PROJECT_SOURCE_DIR}/host/vulkan)
add_executable(fuzz_tuning fuzz_tuning.c ${vulkan}/tune_store.c ${vulkan}/cache_file.c ${PROJECT_SOURCE_DIR}/host/log.c)
target_include_directories(fuzz_tuning SYSTEM PRIVATE ${VOLK_INCLUDE_DIR} ${VULKAN_INCLUDE_DIRS})
target_link_libraries(fuzz_tuning PRIVATE vkdet_options vkdet_engine vkdet_shaders)
target_link_options(fuzz_tuning PRIVATE -fsanitize=fuzzer)
