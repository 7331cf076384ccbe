# fuzz_card, fuzz_tfjs, fuzz_container: any bytes as a card, a TensorFlow.js model, a container; what opens goes on
# through passes and planner. fuzz_card_seeds DIR and so on write what to start from.
if(CMOCKA_FOUND)
    set(models ${PROJECT_SOURCE_DIR}/tests/models)
    add_library(fuzz_model_networks OBJECT ${models}/fixture.c ${models}/layer_cases.c
        ${PROJECT_SOURCE_DIR}/tests/cli/fixture_model.c)
    target_link_libraries(fuzz_model_networks PRIVATE vkdet_options PkgConfig::CMOCKA PkgConfig::JANSSON)
endif()
foreach(kind card tfjs container)
    add_executable(fuzz_${kind} fuzz_${kind}.c exercise.c)
    target_link_libraries(fuzz_${kind} PRIVATE vkdet_options vkdet_models vkdet_engine)
    target_link_options(fuzz_${kind} PRIVATE -fsanitize=fuzzer)
    if(CMOCKA_FOUND)
        add_executable(fuzz_${kind}_seeds model_seeds.c)
        target_link_libraries(fuzz_${kind}_seeds PRIVATE vkdet_options fuzz_model_networks vkdet_test_support
            vkdet_models vkdet_engine PkgConfig::CMOCKA)
        target_compile_definitions(fuzz_${kind}_seeds PRIVATE SEED_KIND="${kind}")
    endif()
endforeach()
