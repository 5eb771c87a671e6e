// A case for each error of the checks of the state space ops.
// RUN: %bambac-opt %s -split-input-file -verify-diagnostics

//===-- states of codes --===//

func.func @f(%x: tensor<4x16xbf16>, %dt: tensor<4x4xf32>, %b: tensor<4x6xbf16>, %c: tensor<4x6xbf16>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<4xi32>, %p: tensor<4xi32>, %init: tensor<4x16xf32>,
             %s: tensor<?x4x4x3xi8>, %e: tensor<?x2x22xbf16>, %dd: tensor<?x2x4xf32>, %sc: tensor<?x4x4xf32>) {
  // expected-error @+1 {{expected scales for a state of i8 and for no other, found 'i8' without}}
  %r0, %r1, %r2, %r3 = bamba.ssm_step
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots : tensor<4x16xbf16>, tensor<4x4xf32>, tensor<4x6xbf16>,
          tensor<4x6xbf16>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xi8>)
      ring(%p, %e, %dd : tensor<4xi32>, tensor<?x2x22xbf16>, tensor<?x2x4xf32>) dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xbf16>, %dt: tensor<4x4xf32>, %b: tensor<4x6xbf16>, %c: tensor<4x6xbf16>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<4xi32>, %p: tensor<4xi32>, %init: tensor<4x16xf32>,
             %s: tensor<?x4x4x3xf32>, %e: tensor<?x2x22xbf16>, %dd: tensor<?x2x4xf32>, %sc: tensor<?x4x4xf32>) {
  // expected-error @+1 {{expected scales for a state of i8 and for no other, found 'f32' with}}
  %r0, %r1, %r2, %r3, %r4 = bamba.ssm_step
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots : tensor<4x16xbf16>, tensor<4x4xf32>, tensor<4x6xbf16>,
          tensor<4x6xbf16>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>)
      ring(%p, %e, %dd : tensor<4xi32>, tensor<?x2x22xbf16>, tensor<?x2x4xf32>) scales(%sc : tensor<?x4x4xf32>) dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xbf16>, %dt: tensor<4x4xf32>, %b: tensor<4x6xbf16>, %c: tensor<4x6xbf16>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<4xi32>, %p: tensor<4xi32>, %init: tensor<4x16xf32>,
             %s: tensor<?x4x4x3xi8>, %e: tensor<?x2x22xbf16>, %dd: tensor<?x2x4xf32>, %sc: tensor<?x4x4xbf16>) {
  // expected-error @+1 {{expected scales of f32, found 'bf16'}}
  %r0, %r1, %r2, %r3, %r4 = bamba.ssm_step
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots : tensor<4x16xbf16>, tensor<4x4xf32>, tensor<4x6xbf16>,
          tensor<4x6xbf16>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xi8>)
      ring(%p, %e, %dd : tensor<4xi32>, tensor<?x2x22xbf16>, tensor<?x2x4xf32>) scales(%sc : tensor<?x4x4xbf16>) dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xbf16>, %dt: tensor<4x4xf32>, %b: tensor<4x6xbf16>, %c: tensor<4x6xbf16>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<4xi32>, %p: tensor<4xi32>, %init: tensor<4x16xf32>,
             %s: tensor<?x4x4x3xi8>, %e: tensor<?x2x22xbf16>, %dd: tensor<?x2x4xf32>, %sc: tensor<?x4x5xf32>) {
  // expected-error @+1 {{expected 'scales' of shape [?, 4, 4], found [?, 4, 5]}}
  %r0, %r1, %r2, %r3, %r4 = bamba.ssm_step
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots : tensor<4x16xbf16>, tensor<4x4xf32>, tensor<4x6xbf16>,
          tensor<4x6xbf16>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xi8>)
      ring(%p, %e, %dd : tensor<4xi32>, tensor<?x2x22xbf16>, tensor<?x2x4xf32>) scales(%sc : tensor<?x4x5xf32>) dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xbf16>, %dt: tensor<4x4xf32>, %b: tensor<4x6xbf16>, %c: tensor<4x6xbf16>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<4xi32>, %p: tensor<4xi32>, %init: tensor<4x16xf32>,
             %s: tensor<?x4x4x3xi8>, %e: tensor<?x2x22xbf16>, %dd: tensor<?x2x4xf32>, %sc: tensor<?x4x4xf32>) {
  // expected-error @+1 {{expected a ring with a state of i8, found none}}
  %r0, %r1, %r2 = bamba.ssm_step
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots : tensor<4x16xbf16>, tensor<4x4xf32>, tensor<4x6xbf16>,
          tensor<4x6xbf16>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xi8>) scales(%sc : tensor<?x4x4xf32>) dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

//===-- ssm_step --===//

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %c: tensor<4x6xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<4xi32>, %init: tensor<4x16xf32>,
             %s: tensor<?x4x4xf32>) {
  // expected-error @+1 {{must be 4D tensor of}}
  %y, %s1 = bamba.ssm_step
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>,
          tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4xf32>) dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x15xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %c: tensor<4x6xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<4xi32>, %init: tensor<4x15xf32>,
             %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected 'x' of shape [?, 16], found [4, 15]}}
  %y, %s1 = bamba.ssm_step
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots : tensor<4x15xf32>, tensor<4x4xf32>, tensor<4x6xf32>,
          tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%init, %s : tensor<4x15xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %c: tensor<4x6xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<4xi32>, %init: tensor<4x15xf32>,
             %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected 'outs' of shape [4, 16], found [4, 15]}}
  %y, %s1 = bamba.ssm_step
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>,
          tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%init, %s : tensor<4x15xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x5xf32>, %b: tensor<4x6xf32>, %c: tensor<4x6xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<4xi32>, %init: tensor<4x16xf32>,
             %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected 'dt' of shape [4, 4], found [4, 5]}}
  %y, %s1 = bamba.ssm_step
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots : tensor<4x16xf32>, tensor<4x5xf32>, tensor<4x6xf32>,
          tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %c: tensor<4x3xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<4xi32>, %init: tensor<4x16xf32>,
             %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected 'c' of shape [4, 6], found [4, 3]}}
  %y, %s1 = bamba.ssm_step
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>,
          tensor<4x3xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<3x6xf32>, %c: tensor<4x6xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<4xi32>, %init: tensor<4x16xf32>,
             %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected 'b' of shape [4, ?], found [3, 6]}}
  %y, %s1 = bamba.ssm_step
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots : tensor<4x16xf32>, tensor<4x4xf32>, tensor<3x6xf32>,
          tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %c: tensor<4x6xf32>, %a: tensor<5xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<4xi32>, %init: tensor<4x16xf32>,
             %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected 'a_log' of shape [4], found [5]}}
  %y, %s1 = bamba.ssm_step
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>,
          tensor<4x6xf32>, tensor<5xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %c: tensor<4x6xf32>, %a: tensor<4xf32>,
             %d: tensor<5xf32>, %db: tensor<4xf32>, %slots: tensor<4xi32>, %init: tensor<4x16xf32>,
             %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected 'd' of shape [4], found [5]}}
  %y, %s1 = bamba.ssm_step
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>,
          tensor<4x6xf32>, tensor<4xf32>, tensor<5xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %c: tensor<4x6xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<5xf32>, %slots: tensor<4xi32>, %init: tensor<4x16xf32>,
             %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected 'dt_bias' of shape [4], found [5]}}
  %y, %s1 = bamba.ssm_step
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>,
          tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<5xf32>, tensor<4xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x7xf32>, %c: tensor<4x7xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<4xi32>, %init: tensor<4x16xf32>,
             %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected the width of 'b' to be a multiple of 3, found 7}}
  %y, %s1 = bamba.ssm_step
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x7xf32>,
          tensor<4x7xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x9xf32>, %c: tensor<4x9xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<4xi32>, %init: tensor<4x16xf32>,
             %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected the number of heads to be a multiple of 3, found 4}}
  %y, %s1 = bamba.ssm_step
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x9xf32>,
          tensor<4x9xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %c: tensor<4x6xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<4xi32>, %init: tensor<4x16xf32>,
             %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected acc to be a float type, found 'i32'}}
  %y, %s1 = bamba.ssm_step
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>,
          tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) acc(i32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %c: tensor<4x6xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<4xi32>, %init: tensor<4x16xf32>,
             %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected the lower dt_limit not above the upper}}
  %y, %s1 = bamba.ssm_step
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>,
          tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(1.0, 0.5) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %c: tensor<4x6xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<2xi32>, %init: tensor<4x16xf32>,
             %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected 'slots' of shape [4], found [2]}}
  %y, %s1 = bamba.ssm_step
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>,
          tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<2xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

//===-- ssm_scan --===//

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %c: tensor<4x6xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %init: tensor<4x16xf32>, %s: tensor<?x4x4xf32>) {
  // expected-error @+1 {{must be 4D tensor of}}
  %y, %s1 = bamba.ssm_scan
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots, %starts : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>,
          tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<2xi32>, tensor<3xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4xf32>) dt_limit(0.0, 1.0) chunk(2) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x15xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %c: tensor<4x6xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %init: tensor<4x15xf32>, %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected 'x' of shape [?, 16], found [4, 15]}}
  %y, %s1 = bamba.ssm_scan
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots, %starts : tensor<4x15xf32>, tensor<4x4xf32>, tensor<4x6xf32>,
          tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<2xi32>, tensor<3xi32>)
      outs(%init, %s : tensor<4x15xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) chunk(2) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %c: tensor<4x6xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %init: tensor<4x15xf32>, %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected 'outs' of shape [4, 16], found [4, 15]}}
  %y, %s1 = bamba.ssm_scan
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots, %starts : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>,
          tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<2xi32>, tensor<3xi32>)
      outs(%init, %s : tensor<4x15xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) chunk(2) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x5xf32>, %b: tensor<4x6xf32>, %c: tensor<4x6xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %init: tensor<4x16xf32>, %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected 'dt' of shape [4, 4], found [4, 5]}}
  %y, %s1 = bamba.ssm_scan
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots, %starts : tensor<4x16xf32>, tensor<4x5xf32>, tensor<4x6xf32>,
          tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<2xi32>, tensor<3xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) chunk(2) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %c: tensor<4x3xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %init: tensor<4x16xf32>, %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected 'c' of shape [4, 6], found [4, 3]}}
  %y, %s1 = bamba.ssm_scan
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots, %starts : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>,
          tensor<4x3xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<2xi32>, tensor<3xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) chunk(2) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<3x6xf32>, %c: tensor<4x6xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %init: tensor<4x16xf32>, %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected 'b' of shape [4, ?], found [3, 6]}}
  %y, %s1 = bamba.ssm_scan
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots, %starts : tensor<4x16xf32>, tensor<4x4xf32>, tensor<3x6xf32>,
          tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<2xi32>, tensor<3xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) chunk(2) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %c: tensor<4x6xf32>, %a: tensor<5xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %init: tensor<4x16xf32>, %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected 'a_log' of shape [4], found [5]}}
  %y, %s1 = bamba.ssm_scan
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots, %starts : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>,
          tensor<4x6xf32>, tensor<5xf32>, tensor<4xf32>, tensor<4xf32>, tensor<2xi32>, tensor<3xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) chunk(2) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %c: tensor<4x6xf32>, %a: tensor<4xf32>,
             %d: tensor<5xf32>, %db: tensor<4xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %init: tensor<4x16xf32>, %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected 'd' of shape [4], found [5]}}
  %y, %s1 = bamba.ssm_scan
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots, %starts : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>,
          tensor<4x6xf32>, tensor<4xf32>, tensor<5xf32>, tensor<4xf32>, tensor<2xi32>, tensor<3xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) chunk(2) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %c: tensor<4x6xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<5xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %init: tensor<4x16xf32>, %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected 'dt_bias' of shape [4], found [5]}}
  %y, %s1 = bamba.ssm_scan
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots, %starts : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>,
          tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<5xf32>, tensor<2xi32>, tensor<3xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) chunk(2) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x7xf32>, %c: tensor<4x7xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %init: tensor<4x16xf32>, %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected the width of 'b' to be a multiple of 3, found 7}}
  %y, %s1 = bamba.ssm_scan
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots, %starts : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x7xf32>,
          tensor<4x7xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<2xi32>, tensor<3xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) chunk(2) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x9xf32>, %c: tensor<4x9xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %init: tensor<4x16xf32>, %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected the number of heads to be a multiple of 3, found 4}}
  %y, %s1 = bamba.ssm_scan
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots, %starts : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x9xf32>,
          tensor<4x9xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<2xi32>, tensor<3xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) chunk(2) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %c: tensor<4x6xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %init: tensor<4x16xf32>, %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected acc to be a float type, found 'i32'}}
  %y, %s1 = bamba.ssm_scan
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots, %starts : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>,
          tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<2xi32>, tensor<3xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) chunk(2) acc(i32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %c: tensor<4x6xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %init: tensor<4x16xf32>, %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected the lower dt_limit not above the upper}}
  %y, %s1 = bamba.ssm_scan
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots, %starts : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>,
          tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<2xi32>, tensor<3xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(1.0, 0.5) chunk(2) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %c: tensor<4x6xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<2xi32>, %starts: tensor<2xi32>,
             %init: tensor<4x16xf32>, %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected 'starts' of shape [3], found [2]}}
  %y, %s1 = bamba.ssm_scan
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots, %starts : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>,
          tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<2xi32>, tensor<2xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) chunk(2) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %c: tensor<4x6xf32>, %a: tensor<4xf32>,
             %d: tensor<4xf32>, %db: tensor<4xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %init: tensor<4x16xf32>, %s: tensor<?x4x4x3xf32>) {
  // expected-error @+1 {{expected chunk greater than 0, found 0}}
  %y, %s1 = bamba.ssm_scan
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots, %starts : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>,
          tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<2xi32>, tensor<3xi32>)
      outs(%init, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) dt_limit(0.0, 1.0) chunk(0) acc(f32)
  return
}
