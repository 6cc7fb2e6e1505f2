# Installs BUILD into a prefix, copies examples from EXAMPLES away, builds them against that prefix and runs them; the
# first one on a small model.
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE "${SCRATCH}")
run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${SCRATCH}/prefix")
foreach(example IN ITEMS 01-generate 03-train 04-scalar 05-byhand 06-compare-runs)
  file(COPY "${EXAMPLES}/${example}/" DESTINATION "${SCRATCH}/${example}")
  run("${CMAKE_COMMAND}" -S "${SCRATCH}/${example}" -B "${SCRATCH}/${example}/build" -G "${GENERATOR}"
      -DCMAKE_BUILD_TYPE=Release "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_PREFIX_PATH=${SCRATCH}/prefix")
  run("${CMAKE_COMMAND}" --build "${SCRATCH}/${example}/build")
endforeach()
run("${RANDOM_MODEL}" "${SCRATCH}/model.gguf")
run("${SCRATCH}/01-generate/build/generate" "${SCRATCH}/model.gguf")
run("${SCRATCH}/03-train/build/train")
run("${SCRATCH}/04-scalar/build/scalar")
run("${SCRATCH}/05-byhand/build/byhand")
run("${SCRATCH}/06-compare-runs/build/compare-runs")
