# fuzz_card, fuzz_tfjs, fuzz_container: any bytes as a card, a TensorFlow.js model, a container; what opens goes on
# through passes and planner. fuzz_model_seeds DIR writes what to start from, into DIR/card, DIR/tfjs, DIR/container.
foreach(target card tfjs container)
    add_executable(fuzz_${target} fuzz_${target}.c exercise.c)
    target_link_libraries(fuzz_${target} PRIVATE vkdet_options vkdet_models vkdet_engine)
    target_link_options(fuzz_${target} PRIVATE -fsanitize=fuzzer)
endforeach()

if(CMOCKA_FOUND)
    set(models ${PROJECT_SOURCE_DIR}/tests/models)
    add_executable(fuzz_model_seeds model_seeds.c ${models}/fixture.c ${models}/layer_cases.c
        ${PROJECT_SOURCE_DIR}/tests/cli/fixture_model.c)
    target_link_libraries(fuzz_model_seeds PRIVATE vkdet_options vkdet_test_support vkdet_models vkdet_engine
        PkgConfig::CMOCKA)
endif()
