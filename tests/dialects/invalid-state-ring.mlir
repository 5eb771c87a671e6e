// A case for each error of the checks of a state ring.
// RUN: %bambac-opt %s -split-input-file -verify-diagnostics

//===-- ssm_step --===//

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %a: tensor<4xf32>, %i: tensor<4xi32>,
             %s: tensor<?x4x4x3xf32>, %p: tensor<3xi32>, %e: tensor<?x7x22xf32>, %d: tensor<?x7x4xf32>) {
  // expected-error @+1 {{expected 'pending' of shape [4], found [3]}}
  %y, %s1, %e1, %d1 = bamba.ssm_step
      ins(%x, %dt, %b, %b, %a, %a, %a, %i : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>, tensor<4x6xf32>,
          tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%x, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) ring(%p, %e, %d : tensor<3xi32>, tensor<?x7x22xf32>, tensor<?x7x4xf32>)
      dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %a: tensor<4xf32>, %i: tensor<4xi32>,
             %s: tensor<?x4x4x3xf32>, %p: tensor<4xi32>, %e: tensor<?x7x22x1xf32>, %d: tensor<?x7x4xf32>) {
  // expected-error @+1 {{expected 'entries' of rank 3, found rank 4}}
  %y, %s1, %e1, %d1 = bamba.ssm_step
      ins(%x, %dt, %b, %b, %a, %a, %a, %i : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>, tensor<4x6xf32>,
          tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%x, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) ring(%p, %e, %d : tensor<4xi32>, tensor<?x7x22x1xf32>, tensor<?x7x4xf32>)
      dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %a: tensor<4xf32>, %i: tensor<4xi32>,
             %s: tensor<?x4x4x3xf32>, %p: tensor<4xi32>, %e: tensor<?x7x22xf32>, %d: tensor<?x7x4x1xf32>) {
  // expected-error @+1 {{expected 'deltas' of rank 3, found rank 4}}
  %y, %s1, %e1, %d1 = bamba.ssm_step
      ins(%x, %dt, %b, %b, %a, %a, %a, %i : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>, tensor<4x6xf32>,
          tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%x, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) ring(%p, %e, %d : tensor<4xi32>, tensor<?x7x22xf32>, tensor<?x7x4x1xf32>)
      dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %a: tensor<4xf32>, %i: tensor<4xi32>,
             %s: tensor<?x4x4x3xf32>, %p: tensor<4xi32>, %e: tensor<?x7x21xf32>, %d: tensor<?x7x4xf32>) {
  // expected-error @+1 {{expected 'entries' of shape [?, ?, 22], found [?, 7, 21]}}
  %y, %s1, %e1, %d1 = bamba.ssm_step
      ins(%x, %dt, %b, %b, %a, %a, %a, %i : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>, tensor<4x6xf32>,
          tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%x, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) ring(%p, %e, %d : tensor<4xi32>, tensor<?x7x21xf32>, tensor<?x7x4xf32>)
      dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %a: tensor<4xf32>, %i: tensor<4xi32>,
             %s: tensor<?x4x4x3xf32>, %p: tensor<4xi32>, %e: tensor<?x7x22xf32>, %d: tensor<?x6x4xf32>) {
  // expected-error @+1 {{expected 'deltas' of shape [?, 7, 4], found [?, 6, 4]}}
  %y, %s1, %e1, %d1 = bamba.ssm_step
      ins(%x, %dt, %b, %b, %a, %a, %a, %i : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>, tensor<4x6xf32>,
          tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%x, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) ring(%p, %e, %d : tensor<4xi32>, tensor<?x7x22xf32>, tensor<?x6x4xf32>)
      dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %a: tensor<4xf32>, %i: tensor<4xi32>,
             %s: tensor<?x4x4x3xf32>, %p: tensor<4xi32>, %e: tensor<?x7x22xbf16>, %d: tensor<?x7x4xf32>) {
  // expected-error @+1 {{expected entries of the type of 'x', 'f32', found 'bf16'}}
  %y, %s1, %e1, %d1 = bamba.ssm_step
      ins(%x, %dt, %b, %b, %a, %a, %a, %i : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x6xf32>, tensor<4x6xf32>,
          tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>)
      outs(%x, %s : tensor<4x16xf32>, tensor<?x4x4x3xf32>) ring(%p, %e, %d : tensor<4xi32>, tensor<?x7x22xbf16>, tensor<?x7x4xf32>)
      dt_limit(0.0, 1.0) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x6xf32>, %a: tensor<4xf32>, %i: tensor<4xi32>,
             %s: tensor<?x4x4x3xf32>, %e: tensor<?x7x22xf32>) {
  // expected-error @+1 {{expected pending, entries and deltas of a ring, found some of them}}
  %y:3 = "bamba.ssm_step"(%x, %dt, %b, %b, %a, %a, %a, %i, %x, %s, %e) <{acc = f32, dt_max = 1.0 : f64, dt_min = 0.0 : f64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 0, 0>}> : (tensor<4x16xf32>, tensor<4x4xf32>,
      tensor<4x6xf32>, tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xi32>, tensor<4x16xf32>,
      tensor<?x4x4x3xf32>, tensor<?x7x22xf32>) -> (tensor<4x16xf32>, tensor<?x4x4x3xf32>, tensor<?x7x22xf32>)
  return
}

// -----

//===-- ssm_fold --===//

func.func @f(%a: tensor<4xf32>, %i: tensor<4xi32>, %p: tensor<4xi32>, %s: tensor<?x4x4xf32>, %e: tensor<?x7x22xf32>, %d: tensor<?x7x4xf32>) {
  // expected-error @+1 {{must be 4D tensor of}}
  %s1 = bamba.ssm_fold ins(%a, %i, %p, %e, %d : tensor<4xf32>, tensor<4xi32>, tensor<4xi32>, tensor<?x7x22xf32>, tensor<?x7x4xf32>) outs(%s : tensor<?x4x4xf32>) acc(f32)
  return
}

// -----

func.func @f(%a: tensor<5xf32>, %i: tensor<4xi32>, %p: tensor<4xi32>, %s: tensor<?x4x4x3xf32>, %e: tensor<?x7x22xf32>, %d: tensor<?x7x4xf32>) {
  // expected-error @+1 {{expected 'a_log' of shape [4], found [5]}}
  %s1 = bamba.ssm_fold ins(%a, %i, %p, %e, %d : tensor<5xf32>, tensor<4xi32>, tensor<4xi32>, tensor<?x7x22xf32>, tensor<?x7x4xf32>) outs(%s : tensor<?x4x4x3xf32>) acc(f32)
  return
}

// -----

func.func @f(%a: tensor<4xf32>, %i: tensor<4xi32>, %p: tensor<4xi32>, %s: tensor<?x4x4x3xf32>, %e: tensor<?x7x22xf32>, %d: tensor<?x7x4xf32>) {
  // expected-error @+1 {{expected acc to be a float type, found 'i32'}}
  %s1 = bamba.ssm_fold ins(%a, %i, %p, %e, %d : tensor<4xf32>, tensor<4xi32>, tensor<4xi32>, tensor<?x7x22xf32>, tensor<?x7x4xf32>) outs(%s : tensor<?x4x4x3xf32>) acc(i32)
  return
}

// -----

func.func @f(%a: tensor<4xf32>, %i: tensor<4xi32>, %p: tensor<3xi32>, %s: tensor<?x4x4x3xf32>, %e: tensor<?x7x22xf32>, %d: tensor<?x7x4xf32>) {
  // expected-error @+1 {{expected 'pending' of shape [4], found [3]}}
  %s1 = bamba.ssm_fold ins(%a, %i, %p, %e, %d : tensor<4xf32>, tensor<4xi32>, tensor<3xi32>, tensor<?x7x22xf32>, tensor<?x7x4xf32>) outs(%s : tensor<?x4x4x3xf32>) acc(f32)
  return
}

// -----

func.func @f(%a: tensor<4xf32>, %i: tensor<4xi32>, %p: tensor<4xi32>, %s: tensor<?x4x4x3xf32>, %e: tensor<?x7x16xf32>, %d: tensor<?x7x4xf32>) {
  // expected-error @+1 {{expected entries of more than 16 columns, found 16}}
  %s1 = bamba.ssm_fold ins(%a, %i, %p, %e, %d : tensor<4xf32>, tensor<4xi32>, tensor<4xi32>, tensor<?x7x16xf32>, tensor<?x7x4xf32>) outs(%s : tensor<?x4x4x3xf32>) acc(f32)
  return
}

// -----

func.func @f(%a: tensor<4xf32>, %i: tensor<4xi32>, %p: tensor<4xi32>, %s: tensor<?x4x4x3xf32>, %e: tensor<?x7x21xf32>, %d: tensor<?x7x4xf32>) {
  // expected-error @+1 {{expected the width of B in 'entries' to be a multiple of 3, found 5}}
  %s1 = bamba.ssm_fold ins(%a, %i, %p, %e, %d : tensor<4xf32>, tensor<4xi32>, tensor<4xi32>, tensor<?x7x21xf32>, tensor<?x7x4xf32>) outs(%s : tensor<?x4x4x3xf32>) acc(f32)
  return
}

// -----

func.func @f(%a: tensor<4xf32>, %i: tensor<4xi32>, %p: tensor<4xi32>, %s: tensor<?x4x4x3xf32>, %e: tensor<?x7x25xf32>, %d: tensor<?x7x4xf32>) {
  // expected-error @+1 {{expected the number of heads to be a multiple of 3, found 4}}
  %s1 = bamba.ssm_fold ins(%a, %i, %p, %e, %d : tensor<4xf32>, tensor<4xi32>, tensor<4xi32>, tensor<?x7x25xf32>, tensor<?x7x4xf32>) outs(%s : tensor<?x4x4x3xf32>) acc(f32)
  return
}
