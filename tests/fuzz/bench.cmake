# fuzz_bench: any bytes as the documents of bench runs; what can be read is compared, shown and reported. Seeds: seeds/bench.
set(program ${PROJECT_SOURCE_DIR}/host/cli)
add_executable(fuzz_bench fuzz_bench.c ${program}/bench_compare.c ${program}/bench_document.c ${program}/bench_gpu.c ${program}/bench_host.c ${program}/bench_html.c
    ${program}/bench_read.c ${program}/bench_stats.c ${program}/bench_svg.c ${program}/bench_sysfs.c ${program}/bench_view.c ${program}/console.c ${program}/open.c ${program}/options.c
    ${program}/report.c)
target_link_libraries(fuzz_bench PRIVATE vkdet vkdet_client vkdet_options PkgConfig::JANSSON m)
target_link_options(fuzz_bench PRIVATE -fsanitize=fuzzer)
set_source_files_properties(${program}/bench_host.c PROPERTIES COMPILE_DEFINITIONS _GNU_SOURCE) # host/processors.h
