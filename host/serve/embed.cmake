# Writes the C table of static_files.h: cmake -D LIST=list.txt -D OUT=file.c -P embed.cmake
# A line of the list is "/path/in/the/address file"; the ending says the content type, the content the ETag.
set(type_html "text/html; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_mjs "text/javascript; charset=utf-8")
set(type_json "application/json")
set(type_svg "image/svg+xml")
set(type_png "image/png")
set(type_jpg "image/jpeg")
set(type_webp "image/webp")

file(STRINGS ${LIST} lines ENCODING UTF-8)
set(arrays "")
set(entries "")
set(index 0)
foreach(line IN LISTS lines)
    if(NOT line MATCHES "^(/[^ ]*) (.+)$")
        message(FATAL_ERROR "${LIST}: no address and file: ${line}")
    endif()
    set(path ${CMAKE_MATCH_1})
    set(file ${CMAKE_MATCH_2})
    get_filename_component(ending ${file} LAST_EXT)
    string(REGEX REPLACE "^\\." "" ending "${ending}")
    if(NOT DEFINED type_${ending})
        message(FATAL_ERROR "${file}: no content type is known for .${ending}")
    endif()
    file(READ ${file} bytes HEX)
    if(bytes STREQUAL "")
        message(FATAL_ERROR "${file} is empty")
    endif()
    file(SHA256 ${file} digest)
    string(SUBSTRING ${digest} 0 32 digest)
    # thirty-two bytes a line
    string(REPEAT "[0-9a-f]" 64 row)
    string(REGEX REPLACE "(${row})" "\\1\n" bytes "${bytes}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    string(APPEND arrays "static const unsigned char file_${index}[] = {\n${bytes}\n};\n\n")
    string(APPEND entries "    {\"${path}\", \"${type_${ending}}\", file_${index}, sizeof file_${index},\n"
        "     \"\\\"${digest}\\\"\"},\n")
    math(EXPR index "${index} + 1")
endforeach()
file(WRITE ${OUT} "/* Made by host/serve/embed.cmake. */
#include \"host/serve/static_files.h\"

${arrays}const static_file static_files[] = {
${entries}};
const size_t static_file_count = ${index};
")
