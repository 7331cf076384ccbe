# Software Vulkan drivers on which tests run: llvmpipe, the same under the validation layers, and SwiftShader where it
# is installed. VKDET_TEST_ICD=manifest.json in the environment of a test names another driver instead.
set(lavapipe_icd "")
foreach(folder /usr/share/vulkan/icd.d /usr/local/share/vulkan/icd.d /etc/vulkan/icd.d)
    file(GLOB found ${folder}/lvp_icd*.json)
    if(found AND NOT lavapipe_icd)
        list(GET found 0 lavapipe_icd)
    endif()
endforeach()
if(NOT lavapipe_icd)
    message(STATUS "llvmpipe not found (Debian: mesa-vulkan-drivers): the Vulkan tests run on the loader's default driver")
endif()
find_file(VKDET_SWIFTSHADER_ICD vk_swiftshader_icd.json PATHS /usr/lib/chromium /usr/lib/chromium-browser NO_DEFAULT_PATH)
if(NOT VKDET_SWIFTSHADER_ICD)
    message(STATUS "SwiftShader not found (Debian: chromium): the Vulkan tests run without it")
endif()

# Cooperative matrices: a driver that has them, such as a newer llvmpipe, and what starts a program on it (its own
# loader, say) where it lies beside the system's. Without one the tests of those kernels say that they are skipped.
set(VKDET_TEST_MATRIX_ICD "$ENV{VKDET_TEST_MATRIX_ICD}" CACHE FILEPATH "Driver manifest for tests of cooperative matrices")
set(VKDET_TEST_MATRIX_LAUNCHER "$ENV{VKDET_TEST_MATRIX_LAUNCHER}" CACHE FILEPATH "Program that runs those tests: LAUNCHER TEST")

function(vkdet_test_on_driver name driver icd validate)
    add_test(NAME ${name}.${driver} COMMAND ${ARGN} $<TARGET_FILE:${name}>)
    set(environment "VKDET_TEST_VALIDATE=${validate}" "VKDET_TEST_DEVICE=vulkan:0")
    if(icd)
        list(APPEND environment "VK_ICD_FILENAMES=${icd}" "VK_DRIVER_FILES=${icd}")
    endif()
    set_tests_properties(${name}.${driver} PROPERTIES ENVIRONMENT "${environment}" LABELS "vulkan;${driver}" TIMEOUT 900)
endfunction()

function(vkdet_test_on_swiftshader name)
    if(VKDET_SWIFTSHADER_ICD)
        vkdet_test_on_driver(${name} swiftshader "${VKDET_SWIFTSHADER_ICD}" 0)
    else()
        vkdet_test_skipped(${name}.swiftshader "needs SwiftShader (Debian: chromium)")
    endif()
endfunction()

# NAME is an executable target that takes the device from VKDET_TEST_DEVICE.
function(vkdet_test_on_drivers name)
    vkdet_test_on_driver(${name} llvmpipe "${lavapipe_icd}" 0)
    vkdet_test_on_driver(${name} validated "${lavapipe_icd}" 1)
    vkdet_test_on_swiftshader(${name})
endfunction()

# NAME.cpu, where the build has that device: the same executable, told so by VKDET_TEST_DEVICE.
function(vkdet_test_on_cpu name)
    if(VKDET_HAS_CPU_DEVICE)
        add_test(NAME ${name}.cpu COMMAND ${name})
        set_tests_properties(${name}.cpu PROPERTIES ENVIRONMENT "VKDET_TEST_DEVICE=cpu" LABELS cpu TIMEOUT 900)
    else()
        vkdet_test_skipped(${name}.cpu "this build has no device cpu (Debian: libdnnl-dev)")
    endif()
endfunction()

# Besides, plainly and validated, on a driver with cooperative matrices where there is one.
function(vkdet_test_on_matrices name)
    if(VKDET_TEST_MATRIX_ICD)
        vkdet_test_on_driver(${name} matrix "${VKDET_TEST_MATRIX_ICD}" 0 ${VKDET_TEST_MATRIX_LAUNCHER})
        vkdet_test_on_driver(${name} matrix-validated "${VKDET_TEST_MATRIX_ICD}" 1 ${VKDET_TEST_MATRIX_LAUNCHER})
    endif()
endfunction()
