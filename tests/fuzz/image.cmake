# fuzz_image: any bytes as a picture. fuzz_image_seeds DIR writes what to start from.
add_executable(fuzz_image fuzz_image.c ${PROJECT_SOURCE_DIR}/host/log.c)
target_link_libraries(fuzz_image PRIVATE vkdet_options vkdet_image vkdet_engine)
target_link_options(fuzz_image PRIVATE -fsanitize=fuzzer)

pkg_check_modules(FUZZ_IMAGE_CODECS IMPORTED_TARGET libjpeg libpng libwebp)
if(FUZZ_IMAGE_CODECS_FOUND)
    set(samples ${PROJECT_SOURCE_DIR}/tests/image)
    add_executable(fuzz_image_seeds ${samples}/write_samples.c ${samples}/samples.c ${samples}/samples_jpeg.c
        ${samples}/samples_plain.c ${samples}/samples_png.c ${samples}/samples_webp.c)
    target_link_libraries(fuzz_image_seeds PRIVATE vkdet_options PkgConfig::FUZZ_IMAGE_CODECS)
endif()
