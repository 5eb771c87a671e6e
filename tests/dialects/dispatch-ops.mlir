// The ops that make kernels, read and printed.
// RUN: %bambac-opt %s | %bambac-opt | FileCheck %s

// CHECK-LABEL: @dispatch
func.func @dispatch(%h: tensor<4x256xf32>, %w: tensor<128x256xbf16>, %x: tensor<4x128xf32>) -> tensor<4x128xf32> {
  %init = tensor.empty() : tensor<4x128xf32>
  // CHECK: bamba.dispatch ins(%{{.*}}, %{{.*}}, %{{.*}} : tensor<4x256xf32>, tensor<128x256xbf16>, tensor<4x128xf32>) outs(%{{.*}} : tensor<4x128xf32>) -> tensor<4x128xf32> {
  %y = bamba.dispatch ins(%h, %w, %x : tensor<4x256xf32>, tensor<128x256xbf16>, tensor<4x128xf32>)
                      outs(%init : tensor<4x128xf32>) -> tensor<4x128xf32> {
  // CHECK-NEXT: ^bb0(%{{.*}}: tensor<4x256xf32>, %{{.*}}: tensor<128x256xbf16>, %{{.*}}: tensor<4x128xf32>, %{{.*}}: tensor<4x128xf32>):
  ^bb0(%h0: tensor<4x256xf32>, %w0: tensor<128x256xbf16>, %x0: tensor<4x128xf32>, %init0: tensor<4x128xf32>):
    %e = tensor.empty() : tensor<4x128xf32>
    %l = bamba.linear ins(%h0, %w0 : tensor<4x256xf32>, tensor<128x256xbf16>) outs(%e : tensor<4x128xf32>) acc(f32)
    %s = linalg.add ins(%l, %x0 : tensor<4x128xf32>, tensor<4x128xf32>) outs(%init0 : tensor<4x128xf32>)
        -> tensor<4x128xf32>
    // CHECK: bamba.yield %{{.*}} : tensor<4x128xf32>
    bamba.yield %s : tensor<4x128xf32>
  }
  return %y : tensor<4x128xf32>
}

// CHECK-LABEL: @dispatch_without_inputs
func.func @dispatch_without_inputs(%a: tensor<2xf32>, %b: tensor<3xf32>) -> (tensor<2xf32>, tensor<3xf32>) {
  // CHECK: bamba.dispatch outs(%{{.*}}, %{{.*}} : tensor<2xf32>, tensor<3xf32>) -> tensor<2xf32>, tensor<3xf32> attributes {why = "two"} {
  %y:2 = bamba.dispatch outs(%a, %b : tensor<2xf32>, tensor<3xf32>) -> tensor<2xf32>, tensor<3xf32>
      attributes {why = "two"} {
  ^bb0(%a0: tensor<2xf32>, %b0: tensor<3xf32>):
    bamba.yield %a0, %b0 : tensor<2xf32>, tensor<3xf32>
  }
  return %y#0, %y#1 : tensor<2xf32>, tensor<3xf32>
}

// CHECK-LABEL: @dispatch_of_some_rows
func.func @dispatch_of_some_rows(%n: tensor<1xi32>, %x: tensor<4x8xf32>, %w: tensor<8xf32>) -> tensor<4x8xf32> {
  %init = tensor.empty() : tensor<4x8xf32>
  // CHECK: bamba.dispatch rows(%{{.*}} : tensor<1xi32>) ins(%{{.*}}, %{{.*}} : tensor<4x8xf32>, tensor<8xf32>) outs(%{{.*}} : tensor<4x8xf32>) -> tensor<4x8xf32> {
  // CHECK-NEXT: ^bb0(%{{.*}}: tensor<1xi32>, %{{.*}}: tensor<4x8xf32>,
  %y = bamba.dispatch rows(%n : tensor<1xi32>) ins(%x, %w : tensor<4x8xf32>, tensor<8xf32>)
                      outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32> {
  ^bb0(%n0: tensor<1xi32>, %x0: tensor<4x8xf32>, %w0: tensor<8xf32>, %init0: tensor<4x8xf32>):
    %r = bamba.rms_norm ins(%x0, %w0 : tensor<4x8xf32>, tensor<8xf32>) outs(%init0 : tensor<4x8xf32>) eps(1.0e-05)
    bamba.yield %r : tensor<4x8xf32>
  }
  return %y : tensor<4x8xf32>
}

func.func private @scale(tensor<4x8xf32>, tensor<4x8xf32>, tensor<?x8xf32>) -> (tensor<4x8xf32>, tensor<?x8xf32>)
func.func private @zero(tensor<4x8xf32>) -> tensor<4x8xf32>

// CHECK-LABEL: @launch
func.func @launch(%x: tensor<4x8xf32>, %state: tensor<?x8xf32>) -> (tensor<4x8xf32>, tensor<?x8xf32>) {
  %init = tensor.empty() : tensor<4x8xf32>
  // CHECK: bamba.launch @zero outs(%{{.*}} : tensor<4x8xf32>) -> tensor<4x8xf32>
  %z = bamba.launch @zero outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  // CHECK: bamba.launch @scale ins(%{{.*}} : tensor<4x8xf32>) outs(%{{.*}}, %{{.*}} : tensor<4x8xf32>, tensor<?x8xf32>) -> tensor<4x8xf32>, tensor<?x8xf32> buffers [#bamba.buffer<offset = 64, bytes = 128>, unit]
  %y, %state1 = bamba.launch @scale ins(%z : tensor<4x8xf32>) outs(%init, %state : tensor<4x8xf32>, tensor<?x8xf32>)
      -> tensor<4x8xf32>, tensor<?x8xf32> buffers [#bamba.buffer<offset = 64, bytes = 128>, unit]
  return %y, %state1 : tensor<4x8xf32>, tensor<?x8xf32>
}
