// RUN: bambac-opt %s -split-input-file --bamba-plan-memory | FileCheck %s
// RUN: bambac-opt %s -split-input-file --bamba-plan-memory=alignment=1024 | FileCheck %s --check-prefix=WIDE
// WIDE: bamba.arena_bytes = 1536 : i64

// A chain of four buffers of 512 bytes needs two: each is dead once the next is made. The result is an output and has no
// buffer in the arena; a state keeps its own.
// CHECK-LABEL: func.func @chain
// CHECK-SAME: bamba.arena_bytes = 1024 : i64
// CHECK: bamba.launch @copy {{.*}} buffers [#bamba.buffer<offset = 0, bytes = 512>]
// CHECK: bamba.launch @copy {{.*}} buffers [#bamba.buffer<offset = 512, bytes = 512>]
// CHECK: bamba.launch @copy {{.*}} buffers [#bamba.buffer<offset = 0, bytes = 512>]
// CHECK: bamba.launch @update {{.*}} buffers [#bamba.buffer<offset = 512, bytes = 512>, unit]
// CHECK: bamba.launch @copy {{.*}} buffers [unit]
func.func @chain(%x: tensor<4x32xf32>, %s: tensor<?x32xf32>) -> (tensor<4x32xf32>, tensor<?x32xf32>)
    attributes {bamba.entry = #bamba.entry<decode, batch = 4, chunk = 1>} {
  %e = tensor.empty() : tensor<4x32xf32>
  %0 = bamba.launch @copy ins(%x : tensor<4x32xf32>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32>
  %1 = bamba.launch @copy ins(%0 : tensor<4x32xf32>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32>
  %2 = bamba.launch @copy ins(%1 : tensor<4x32xf32>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32>
  %3, %s1 = bamba.launch @update ins(%2 : tensor<4x32xf32>) outs(%e, %s : tensor<4x32xf32>, tensor<?x32xf32>) -> tensor<4x32xf32>, tensor<?x32xf32>
  %4 = bamba.launch @copy ins(%3 : tensor<4x32xf32>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %4, %s1 : tensor<4x32xf32>, tensor<?x32xf32>
}

// A residual that is read late keeps its place; buffers start at multiples of 64.
// CHECK-LABEL: func.func @residual
// CHECK-SAME: bamba.arena_bytes = 1536 : i64
// CHECK: bamba.launch @copy {{.*}} buffers [#bamba.buffer<offset = 0, bytes = 512>]
// CHECK: bamba.launch @copy {{.*}} buffers [#bamba.buffer<offset = 512, bytes = 512>]
// CHECK: bamba.launch @copy {{.*}} buffers [#bamba.buffer<offset = 1024, bytes = 512>]
// CHECK: bamba.launch @add {{.*}} buffers [unit]
func.func @residual(%x: tensor<4x32xf32>) -> tensor<4x32xf32>
    attributes {bamba.entry = #bamba.entry<decode, batch = 4, chunk = 1>} {
  %e = tensor.empty() : tensor<4x32xf32>
  %0 = bamba.launch @copy ins(%x : tensor<4x32xf32>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32>
  %1 = bamba.launch @copy ins(%0 : tensor<4x32xf32>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32>
  %2 = bamba.launch @copy ins(%1 : tensor<4x32xf32>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32>
  %3 = bamba.launch @add ins(%0, %2 : tensor<4x32xf32>, tensor<4x32xf32>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %3 : tensor<4x32xf32>
}

func.func private @copy(%x: tensor<4x32xf32>, %e: tensor<4x32xf32>) -> tensor<4x32xf32>
func.func private @add(%x: tensor<4x32xf32>, %y: tensor<4x32xf32>, %e: tensor<4x32xf32>) -> tensor<4x32xf32>
func.func private @update(%x: tensor<4x32xf32>, %e: tensor<4x32xf32>, %s: tensor<?x32xf32>) -> (tensor<4x32xf32>, tensor<?x32xf32>)

// -----

// On CUDA buffers start at multiples of 256.
// CHECK-LABEL: func.func @cuda
// CHECK-SAME: bamba.arena_bytes = 320 : i64
// CHECK: buffers [#bamba.buffer<offset = 0, bytes = 64>]
// CHECK: buffers [#bamba.buffer<offset = 256, bytes = 64>]
module attributes {bamba.target = #bamba.cuda_target<arch = "sm_90a", shared_bytes = 232448, multiprocessors = 132>} {
  func.func @cuda(%x: tensor<4x8xbf16>) -> tensor<4x8xbf16>
      attributes {bamba.entry = #bamba.entry<decode, batch = 4, chunk = 1>} {
    %e = tensor.empty() : tensor<4x8xbf16>
    %0 = bamba.launch @half ins(%x : tensor<4x8xbf16>) outs(%e : tensor<4x8xbf16>) -> tensor<4x8xbf16>
    %1 = bamba.launch @half ins(%0 : tensor<4x8xbf16>) outs(%e : tensor<4x8xbf16>) -> tensor<4x8xbf16>
    %2 = bamba.launch @half ins(%1 : tensor<4x8xbf16>) outs(%e : tensor<4x8xbf16>) -> tensor<4x8xbf16>
    return %2 : tensor<4x8xbf16>
  }
  func.func private @half(%x: tensor<4x8xbf16>, %e: tensor<4x8xbf16>) -> tensor<4x8xbf16>
}
