// Several files in one: roundtrip: no
// RUN: split-file %s %t
// RUN: bambac-opt %t/kernels.mlir --bamba-select-schedules | FileCheck %s
// RUN: bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/fits.json" | FileCheck %s --check-prefix=FITS
// RUN: bambac-opt %t/pairs.mlir --bamba-select-schedules="file=%t/pairs.json" | FileCheck %s --check-prefix=PAIRS
// RUN: not bambac-opt %t/pairs.mlir --bamba-select-schedules="file=%t/few.json" 2>&1 | FileCheck %s --check-prefix=FEW
// RUN: not bambac-opt %t/pairs.mlir --bamba-select-schedules="file=%t/cut.json" 2>&1 | FileCheck %s --check-prefix=CUT
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/tile.json" 2>&1 | FileCheck %s --check-prefix=TILE
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/linear.json" 2>&1 | FileCheck %s --check-prefix=LINEAR
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/rows.json" 2>&1 | FileCheck %s --check-prefix=ROWS
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/all.json" 2>&1 | FileCheck %s --check-prefix=ALL

// Of rows whose logits are kept there is memory for a multiple of 32, and no tile reaches beyond one.

// FITS: @linear_kept{{.*}}workgroup = [16, 32], rows = 3,
// FITS: @argmax_kept{{.*}}workgroup = [8],
// FEW: few.json: field 'linear_few': kernel 'linear_few' of cpu: field 'depth': expected 0, since so few rows are not split into terms for tile registers, found 64
// CUT: cut.json: field 'linear_few': kernel 'linear_few' of cpu: field 'workgroup': expected a divisor of 8, the rows, found 3
// PAIRS: @linear_pairs{{.*}}workgroup = [0, 0], rows = 48,
// TILE: tile.json: field 'linear_kept': kernel 'linear_kept' of cpu: field 'rows': expected a divisor of 32, the rows of logits that there is memory for, found 12
// LINEAR: linear.json: field 'linear_kept': kernel 'linear_kept' of cpu: field 'workgroup': expected a divisor of 32, the rows of logits that there is memory for, found 24
// ROWS: rows.json: field 'argmax_kept': kernel 'argmax_kept' of cpu: field 'workgroup': expected a divisor of 32, the rows of logits that there is memory for, found 48
// ALL: all.json: field 'argmax_*': kernel 'argmax_kept' of cpu: field 'workgroup': expected a divisor of 32, the rows of logits that there is memory for, found 0

//--- fits.json
{"linear_kept": {"workgroup": [16, 32], "rows": 3}, "argmax_kept": {"workgroup": [8]}, "argmax_few": {"workgroup": [0]}}
//--- pairs.json
{"linear_pairs": {"rows": 48}}
//--- few.json
{"linear_few": {"depth": 64}}
//--- cut.json
{"linear_few": {"workgroup": [3, 32]}}
//--- tile.json
{"linear_kept": {"rows": 12}}
//--- linear.json
{"linear_kept": {"workgroup": [24, 32]}}
//--- rows.json
{"argmax_kept": {"workgroup": [48]}}
//--- all.json
{"argmax_*": {"workgroup": [0]}}
//--- kernels.mlir
module attributes {bamba.target = #bamba.cpu_target<arch = "x86-64-v4", features = "", vector_bits = 512,
    vector_registers = 32, l2_bytes = 1048576>} {
  // CHECK: @linear_kept{{.*}}bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 0], rows = 8, depth = 512, chunk = 0>
  func.func private @linear_kept(%rows: tensor<1xi32> {bamba.rows}, %x: tensor<48x64xf32>, %w: tensor<85x64xf32, #bamba.panel<32>>, %e: tensor<48x85xf32>) -> tensor<48x85xf32> attributes {bamba.kernel, bamba.may_be_empty} {
    %r = bamba.linear ins(%x, %w : tensor<48x64xf32>, tensor<85x64xf32, #bamba.panel<32>>) outs(%e : tensor<48x85xf32>) acc(f32)
    return %r : tensor<48x85xf32>
  }
  // CHECK: @argmax_kept{{.*}}bamba.schedule = #bamba.cpu_schedule<workgroup = [32],
  func.func private @argmax_kept(%rows: tensor<1xi32> {bamba.rows}, %x: tensor<48x85xf32>, %e: tensor<48xi32>) -> tensor<48xi32> attributes {bamba.kernel, bamba.may_be_empty} {
    %r = bamba.argmax ins(%x : tensor<48x85xf32>) outs(%e : tensor<48xi32>)
    return %r : tensor<48xi32>
  }
  // A workgroup has at most as many rows as are worth its while.
  // CHECK: @argmax_wider{{.*}}bamba.schedule = #bamba.cpu_schedule<workgroup = [8],
  func.func private @argmax_wider(%rows: tensor<1xi32> {bamba.rows}, %x: tensor<512x300xf32>, %e: tensor<512xi32>) -> tensor<512xi32> attributes {bamba.kernel, bamba.may_be_empty} {
    %r = bamba.argmax ins(%x : tensor<512x300xf32>) outs(%e : tensor<512xi32>)
    return %r : tensor<512xi32>
  }
  // CHECK: @sample_kept{{.*}}bamba.schedule = #bamba.cpu_schedule<workgroup = [1],
  func.func private @sample_kept(%rows: tensor<1xi32> {bamba.rows}, %x: tensor<48x85xf32>, %g: tensor<48xi32>, %p: tensor<48xi32>, %s: tensor<48x18xi32>, %k: tensor<48xi32>, %e: tensor<48x42xi32>) -> tensor<48x42xi32> attributes {bamba.kernel, bamba.may_be_empty} {
    %r = bamba.sample ins(%x, %g, %p, %s : tensor<48x85xf32>, tensor<48xi32>, tensor<48xi32>, tensor<48x18xi32>) kept(%k : tensor<48xi32>) outs(%e : tensor<48x42xi32>)
    return %r : tensor<48x42xi32>
  }
  // Of up to 32 rows there is memory for all.
  // CHECK: @linear_few{{.*}}bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 0], rows = 12,
  func.func private @linear_few(%rows: tensor<1xi32> {bamba.rows}, %x: tensor<24x64xf32>, %w: tensor<85x64xf32, #bamba.panel<32>>, %e: tensor<24x85xf32>) -> tensor<24x85xf32> attributes {bamba.kernel, bamba.may_be_empty} {
    %r = bamba.linear ins(%x, %w : tensor<24x64xf32>, tensor<85x64xf32, #bamba.panel<32>>) outs(%e : tensor<24x85xf32>) acc(f32)
    return %r : tensor<24x85xf32>
  }
  // CHECK: @argmax_few{{.*}}bamba.schedule = #bamba.cpu_schedule<workgroup = [24],
  func.func private @argmax_few(%rows: tensor<1xi32> {bamba.rows}, %x: tensor<24x85xf32>, %e: tensor<24xi32>) -> tensor<24xi32> attributes {bamba.kernel, bamba.may_be_empty} {
    %r = bamba.argmax ins(%x : tensor<24x85xf32>) outs(%e : tensor<24xi32>)
    return %r : tensor<24xi32>
  }
  // So there is of all rows of a step.
  // CHECK: @linear_step{{.*}}bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 0], rows = 12,
  func.func private @linear_step(%rows: tensor<1xi32> {bamba.rows}, %x: tensor<48x64xf32>, %w: tensor<85x64xf32, #bamba.panel<32>>, %e: tensor<48x85xf32>) -> tensor<48x85xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<48x64xf32>, tensor<85x64xf32, #bamba.panel<32>>) outs(%e : tensor<48x85xf32>) acc(f32)
    return %r : tensor<48x85xf32>
  }
}
//--- pairs.mlir
module attributes {bamba.target = #bamba.cpu_target<arch = "sapphirerapids", features = "+amx-tile,+amx-bf16,+gfni,+avx512vbmi",
    vector_bits = 512, vector_registers = 32, l2_bytes = 1048576>} {
  // Tile registers leave out each row that is not there.
  func.func private @linear_pairs(%rows: tensor<1xi32> {bamba.rows}, %x: tensor<48x224xbf16>, %w: tensor<85x64xbf16, #bamba.panel<32, group = 2, align = 32>>, %e: tensor<48x85xf32>) -> tensor<48x85xf32> attributes {bamba.kernel, bamba.may_be_empty} {
    %r = bamba.linear ins(%x, %w : tensor<48x224xbf16>, tensor<85x64xbf16, #bamba.panel<32, group = 2, align = 32>>) terms(<count = 3, run = 32>) outs(%e : tensor<48x85xf32>) acc(f32)
    return %r : tensor<48x85xf32>
  }
  func.func private @linear_few(%x: tensor<8x64xf32>, %w: tensor<85x64xbf16, #bamba.panel<32, group = 2, align = 32>>, %e: tensor<8x85xf32>) -> tensor<8x85xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<8x64xf32>, tensor<85x64xbf16, #bamba.panel<32, group = 2, align = 32>>) outs(%e : tensor<8x85xf32>) acc(f32)
    return %r : tensor<8x85xf32>
  }
}
