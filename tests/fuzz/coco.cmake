# fuzz_coco: any bytes as a COCO ground truth and as results; what can be read is judged. Seeds: seeds/coco.
set(program ${PROJECT_SOURCE_DIR}/host/cli)
add_executable(fuzz_coco fuzz_coco.c ${program}/coco_read.c ${program}/coco_eval.c)
target_link_libraries(fuzz_coco PRIVATE vkdet_options PkgConfig::JANSSON m)
target_link_options(fuzz_coco PRIVATE -fsanitize=fuzzer)
