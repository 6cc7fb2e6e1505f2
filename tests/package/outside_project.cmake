# Installs BUILD into a prefix, copies EXAMPLE away, builds it against that prefix and runs it on a small model.
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE "${SCRATCH}")
run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${SCRATCH}/prefix")
file(COPY "${EXAMPLE}/" DESTINATION "${SCRATCH}/source")
run("${CMAKE_COMMAND}" -S "${SCRATCH}/source" -B "${SCRATCH}/build" -G "${GENERATOR}" -DCMAKE_BUILD_TYPE=Release
    "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_PREFIX_PATH=${SCRATCH}/prefix")
run("${CMAKE_COMMAND}" --build "${SCRATCH}/build")
run("${RANDOM_MODEL}" "${SCRATCH}/model.gguf")
run("${SCRATCH}/build/generate" "${SCRATCH}/model.gguf")
