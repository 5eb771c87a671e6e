// A case for each error of the checks of the ops that make kernels, and of what ODS derives.
// RUN: %bambac-opt %s -split-input-file -verify-diagnostics

//===-- dispatch and yield --===//

func.func @f(%x: tensor<4xf32>, %init: tensor<8xf32>) {
  // expected-error @+1 {{expected 1 results, found 0}}
  "bamba.dispatch"(%x, %init) <{operandSegmentSizes = array<i32: 0, 1, 1>}> ({
  ^bb0(%x0: tensor<4xf32>, %init0: tensor<8xf32>):
    bamba.yield %init0 : tensor<8xf32>
  }) : (tensor<4xf32>, tensor<8xf32>) -> ()
  return
}

// -----

func.func @f(%x: tensor<4xf32>, %init: tensor<8xf32>) {
  // expected-error @+1 {{expected result 0 of type 'tensor<8xf32>', found 'tensor<4xf32>'}}
  "bamba.dispatch"(%x, %init) <{operandSegmentSizes = array<i32: 0, 1, 1>}> ({
  ^bb0(%x0: tensor<4xf32>, %init0: tensor<8xf32>):
    bamba.yield %init0 : tensor<8xf32>
  }) : (tensor<4xf32>, tensor<8xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>, %init: tensor<8xf32>) {
  // expected-error @+1 {{expected 2 block arguments, found 1}}
  "bamba.dispatch"(%x, %init) <{operandSegmentSizes = array<i32: 0, 1, 1>}> ({
  ^bb0(%init0: tensor<8xf32>):
    bamba.yield %init0 : tensor<8xf32>
  }) : (tensor<4xf32>, tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>, %init: tensor<8xf32>) {
  // expected-error @+1 {{expected block argument 0 of type 'tensor<4xf32>', found 'tensor<5xf32>'}}
  "bamba.dispatch"(%x, %init) <{operandSegmentSizes = array<i32: 0, 1, 1>}> ({
  ^bb0(%x0: tensor<5xf32>, %init0: tensor<8xf32>):
    bamba.yield %init0 : tensor<8xf32>
  }) : (tensor<4xf32>, tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>, %init: tensor<8xf32>) {
  // expected-error @+1 {{expected a number of rows with may_be_empty, found none}}
  "bamba.dispatch"(%x, %init) <{may_be_empty, operandSegmentSizes = array<i32: 0, 1, 1>}> ({
  ^bb0(%x0: tensor<4xf32>, %init0: tensor<8xf32>):
    bamba.yield %init0 : tensor<8xf32>
  }) : (tensor<4xf32>, tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>, %init: tensor<8xf32>) {
  // expected-error @+1 {{expected 1 yielded values, found 0}}
  "bamba.dispatch"(%x, %init) <{operandSegmentSizes = array<i32: 0, 1, 1>}> ({
  ^bb0(%x0: tensor<4xf32>, %init0: tensor<8xf32>):
    bamba.yield
  }) : (tensor<4xf32>, tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>, %init: tensor<8xf32>) {
  // expected-error @+1 {{expected yielded value 0 of type 'tensor<8xf32>', found 'tensor<4xf32>'}}
  "bamba.dispatch"(%x, %init) <{operandSegmentSizes = array<i32: 0, 1, 1>}> ({
  ^bb0(%x0: tensor<4xf32>, %init0: tensor<8xf32>):
    bamba.yield %x0 : tensor<4xf32>
  }) : (tensor<4xf32>, tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @f(%n: tensor<2xi32>, %init: tensor<8xf32>) {
  // expected-error @+1 {{expected one number of rows, found 'tensor<2xi32>'}}
  %y = bamba.dispatch rows(%n : tensor<2xi32>) outs(%init : tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%n0: tensor<2xi32>, %init0: tensor<8xf32>):
    bamba.yield %init0 : tensor<8xf32>
  }
  return
}

// -----

func.func @f(%init: tensor<8xf32>) {
  // expected-error @+1 {{expected a region that ends in bamba.yield}}
  "bamba.dispatch"(%init) <{operandSegmentSizes = array<i32: 0, 0, 1>}> ({
  ^bb0(%init0: tensor<8xf32>):
    func.return
  }) : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{expects parent op 'bamba.dispatch'}}
  bamba.yield %x : tensor<4xf32>
}

// -----

//===-- launch --===//

func.func private @kernel(tensor<4xf32>, tensor<8xf32>) -> tensor<8xf32>

func.func @f(%x: tensor<4xf32>, %init: tensor<8xf32>) {
  // expected-error @+1 {{expected result 0 of type 'tensor<8xf32>', found 'tensor<7xf32>'}}
  %y = bamba.launch @kernel ins(%x : tensor<4xf32>) outs(%init : tensor<8xf32>) -> tensor<7xf32>
  return
}

// -----

func.func private @kernel(tensor<4xf32>, tensor<8xf32>) -> tensor<8xf32>

func.func @f(%x: tensor<4xf32>, %init: tensor<8xf32>) {
  // expected-error @+1 {{expected 1 buffers, found 2}}
  %y = bamba.launch @kernel ins(%x : tensor<4xf32>) outs(%init : tensor<8xf32>) -> tensor<8xf32> buffers [unit, unit]
  return
}

// -----

func.func private @kernel(tensor<4xf32>, tensor<8xf32>) -> tensor<8xf32>

func.func @f(%x: tensor<4xf32>, %init: tensor<8xf32>) {
  // expected-error @+1 {{expected each buffer to be #bamba.buffer or unit, found [7]}}
  %y = bamba.launch @kernel ins(%x : tensor<4xf32>) outs(%init : tensor<8xf32>) -> tensor<8xf32> buffers [7]
  return
}

// -----

func.func private @kernel(tensor<4xf32>, tensor<8xf32>) -> tensor<8xf32>

func.func @f(%x: tensor<4xf32>, %init: tensor<8xf32>) {
  // expected-error @+1 {{expected 'nothing' to be a kernel, found no such function}}
  %y = bamba.launch @nothing ins(%x : tensor<4xf32>) outs(%init : tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func private @kernel(tensor<4xf32>, tensor<8xf32>) -> tensor<8xf32>

func.func @f(%x: tensor<5xf32>, %init: tensor<8xf32>) {
  // expected-error @+1 {{expected argument 0 of type 'tensor<4xf32>', found 'tensor<5xf32>'}}
  %y = bamba.launch @kernel ins(%x : tensor<5xf32>) outs(%init : tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func private @kernel(tensor<4xf32>, tensor<8xf32>, i32) -> tensor<8xf32>

func.func @f(%x: tensor<4xf32>, %init: tensor<8xf32>) {
  // expected-error @+1 {{expected 3 arguments, found 2}}
  %y = bamba.launch @kernel ins(%x : tensor<4xf32>) outs(%init : tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func private @kernel(tensor<4xf32>, tensor<8xf32>)

func.func @f(%x: tensor<4xf32>, %init: tensor<8xf32>) {
  // expected-error @+1 {{expected 0 kernel results, found 1}}
  %y = bamba.launch @kernel ins(%x : tensor<4xf32>) outs(%init : tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func private @kernel(tensor<4xf32>, tensor<8xf32>) -> tensor<4xf32>

func.func @f(%x: tensor<4xf32>, %init: tensor<8xf32>) {
  // expected-error @+1 {{expected kernel result 0 of type 'tensor<4xf32>', found 'tensor<8xf32>'}}
  %y = bamba.launch @kernel ins(%x : tensor<4xf32>) outs(%init : tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @f(%init: tensor<8xf32>) {
  // expected-error @+1 {{expected 1 results, found 0}}
  "bamba.launch"(%init) <{kernel = @f, operandSegmentSizes = array<i32: 0, 1>}> : (tensor<8xf32>) -> ()
  return
}

// -----

//===-- what ODS checks: the type of a result is that of its destination --===//

func.func @f(%x: tensor<4x8xf32>, %u: tensor<4x8xf32>, %init: tensor<4x8xf32>) {
  // expected-error @+1 {{failed to verify that type of 'result' matches that of its destination}}
  %y = "bamba.swiglu"(%x, %u, %init) : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x9xf32>
  return
}
