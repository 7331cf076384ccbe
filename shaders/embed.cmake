# Writes the C table of shaders.h: cmake -D MODULES=a,b -D FOLDER=where a.spv lies -D OUT=file.c -P embed.cmake
string(REPLACE "," ";" modules "${MODULES}")
set(arrays "")
set(entries "")
set(digests "")
foreach(module IN LISTS modules)
    file(READ ${FOLDER}/${module}.spv bytes HEX)
    file(SHA256 ${FOLDER}/${module}.spv digest)
    string(APPEND digests "${module} ${digest}\n")
    # SPIR-V as glslc writes it is little-endian words
    string(REGEX REPLACE "(..)(..)(..)(..)" "0x\\4\\3\\2\\1," words "${bytes}")
    string(REGEX REPLACE "(0x........,0x........,0x........,0x........,0x........,0x........,0x........,0x........,)"
           "\\1\n" words "${words}")
    string(APPEND arrays "static const uint32_t ${module}_code[] = {\n${words}\n};\n\n")
    string(APPEND entries "    {\"${module}\", ${module}_code, sizeof ${module}_code},\n")
endforeach()
string(SHA256 digest "${digests}")
list(LENGTH modules count)
file(WRITE ${OUT} "/* Made by shaders/embed.cmake. */
#include \"shaders/shaders.h\"

${arrays}const shader shader_table[] = {
${entries}};
const size_t shader_count = ${count};
const char shader_digest[] = \"${digest}\";
")
