// Several files in one: roundtrip: no
// RUN: split-file %s %t
// RUN: bambac-opt %t/kernels.mlir --bamba-select-schedules | FileCheck %s
// RUN: bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/override.json" | FileCheck %s --check-prefix=OVERRIDE
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/none.json" 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/text.json" 2>&1 | FileCheck %s --check-prefix=TEXT
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/field.json" 2>&1 | FileCheck %s --check-prefix=FIELD
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/size.json" 2>&1 | FileCheck %s --check-prefix=SIZE
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/most.json" 2>&1 | FileCheck %s --check-prefix=MOST
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/rank.json" 2>&1 | FileCheck %s --check-prefix=RANK
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/columns.json" 2>&1 | FileCheck %s --check-prefix=COLUMNS
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/heads.json" 2>&1 | FileCheck %s --check-prefix=HEADS
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/chunk.json" 2>&1 | FileCheck %s --check-prefix=CHUNK
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/idle.json" 2>&1 | FileCheck %s --check-prefix=IDLE
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/unused.json" 2>&1 | FileCheck %s --check-prefix=UNUSED
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/twice.json" 2>&1 | FileCheck %s --check-prefix=TWICE
// RUN: bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/order.json" | FileCheck %s --check-prefix=ORDER

// NONE: none.json: No such file or directory
// TEXT: text.json: expected JSON: [1:
// FIELD: field.json: field 'linear*': kernel 'linear_decode' of cpu: expected a field that the kernel depends on (workgroup, rows, depth), found 'tile'
// SIZE: size.json: field 'linear*': kernel 'linear_decode' of cpu: field 'rows': expected a size, found -4
// MOST: most.json: field 'linear*': kernel 'linear_decode' of cpu: field 'rows': expected a size, found 9223372036854775807
// RANK: rank.json: field 'linear*': kernel 'linear_decode' of cpu: field 'workgroup': expected 2 sizes, found 1
// COLUMNS: columns.json: field 'linear*': kernel 'linear_decode' of cpu: field 'workgroup': expected a multiple of 32 columns, found 40
// HEADS: heads.json: field 'scan_groups': kernel 'scan_groups' of cpu: field 'workgroup': expected a divisor of 24, the heads of a group, found 5
// CHUNK: chunk.json: field 'scan': kernel 'scan' of cpu: field 'chunk': expected a size from 1 to 96, the rows, found 97
// IDLE: idle.json: field 'norm': kernel 'norm' of cpu: expected a field that the kernel depends on (workgroup), found 'depth'
// UNUSED: unused.json: field 'linaer*': expected a kernel of that name, found none for cpu
// TWICE: twice.json: field 'norm': expected each key once, found it twice
// ORDER: @linear_decode{{.*}}rows = 3

//--- heads.json
{"scan": {"workgroup": [1]}, "scan_groups": {"workgroup": [5]}}
//--- chunk.json
{"scan": {"chunk": 97}}
//--- idle.json
{"norm": {"depth": 4}}
//--- unused.json
{"linear*": {"rows": 2}, "linaer*": {"rows": 2}}
//--- twice.json
{"norm": {"workgroup": [4]}, "norm": {"workgroup": [8]}}
//--- order.json
{"linear_decode": {"rows": 2}, "cpu": {"linear_*": {"rows": 3}}, "sm_90a": {"linear_*": {"stages": 3}}}
//--- override.json
{"linear*": {"rows": 2}, "linear_prefill": {"workgroup": [0, 64], "depth": 128}}
//--- text.json
rows = 4
//--- field.json
{"linear*": {"tile": 4}}
//--- size.json
{"linear*": {"rows": -4}}
//--- most.json
{"linear*": {"rows": 9223372036854775807}}
//--- rank.json
{"linear*": {"workgroup": [64]}}
//--- columns.json
{"linear*": {"workgroup": [0, 40]}}
//--- kernels.mlir
module attributes {bamba.target = #bamba.cpu_target<arch = "x86-64-v4", features = "", vector_bits = 512,
    vector_registers = 32, l2_bytes = 1048576>} {
  // Columns in whole panels of 32, all rows; one row of registers; the whole depth at once.
  // CHECK: @linear_decode{{.*}}bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 64], rows = 1, depth = 0, chunk = 0>
  // OVERRIDE: @linear_decode{{.*}}bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 64], rows = 2, depth = 0, chunk = 0>
  func.func private @linear_decode(%x: tensor<1x1024xf32>, %w: tensor<4096x1024xbf16, #bamba.panel<32>>, %e: tensor<1x4096xf32>) -> tensor<1x4096xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<1x1024xf32>, tensor<4096x1024xbf16, #bamba.panel<32>>) outs(%e : tensor<1x4096xf32>) acc(f32)
    return %r : tensor<1x4096xf32>
  }
  // Register tiles of 8 rows, which divide 64, and a depth that keeps a block of a panel in cache.
  // CHECK: @linear_prefill{{.*}}bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 64], rows = 8, depth = 512, chunk = 0>
  // OVERRIDE: @linear_prefill{{.*}}bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 64], rows = 2, depth = 128, chunk = 0>
  func.func private @linear_prefill(%x: tensor<64x1024xf32>, %w: tensor<4096x1024xbf16, #bamba.panel<32>>, %e: tensor<64x4096xf32>) -> tensor<64x4096xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<64x1024xf32>, tensor<4096x1024xbf16, #bamba.panel<32>>) outs(%e : tensor<64x4096xf32>) acc(f32)
    return %r : tensor<64x4096xf32>
  }
  // A head a workgroup where there are few, in chunks of 64 tokens.
  // CHECK: @scan{{.*}}bamba.schedule = #bamba.cpu_schedule<workgroup = [1], rows = 1, depth = 0, chunk = 64>
  // OVERRIDE: @scan{{.*}}chunk = 64
  func.func private @scan(%x: tensor<96x64xf32>, %dt: tensor<96x2xf32>, %b: tensor<96x16xf32>, %h: tensor<2xf32>, %i: tensor<1xi32>, %st: tensor<2xi32>, %e: tensor<96x64xf32>, %s: tensor<?x2x32x16xf32>) -> (tensor<96x64xf32>, tensor<?x2x32x16xf32>) attributes {bamba.kernel} {
    %y, %s1 = bamba.ssm_scan ins(%x, %dt, %b, %b, %h, %h, %h, %i, %st : tensor<96x64xf32>, tensor<96x2xf32>, tensor<96x16xf32>, tensor<96x16xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<1xi32>, tensor<2xi32>) outs(%e, %s : tensor<96x64xf32>, tensor<?x2x32x16xf32>) dt_limit(0.0, 1.0) chunk(256) acc(f32)
    return %y, %s1 : tensor<96x64xf32>, tensor<?x2x32x16xf32>
  }
  // Heads share a workgroup as long as 16 remain, and those of a group: 48 / 16 = 3, which divides 24.
  // CHECK: @scan_groups{{.*}}bamba.schedule = #bamba.cpu_schedule<workgroup = [3], rows = 1, depth = 0, chunk = 64>
  func.func private @scan_groups(%x: tensor<96x384xf32>, %dt: tensor<96x48xf32>, %b: tensor<96x32xf32>, %h: tensor<48xf32>, %i: tensor<1xi32>, %st: tensor<2xi32>, %e: tensor<96x384xf32>, %s: tensor<?x48x8x16xf32>) -> (tensor<96x384xf32>, tensor<?x48x8x16xf32>) attributes {bamba.kernel} {
    %y, %s1 = bamba.ssm_scan ins(%x, %dt, %b, %b, %h, %h, %h, %i, %st : tensor<96x384xf32>, tensor<96x48xf32>, tensor<96x32xf32>, tensor<96x32xf32>, tensor<48xf32>, tensor<48xf32>, tensor<48xf32>, tensor<1xi32>, tensor<2xi32>) outs(%e, %s : tensor<96x384xf32>, tensor<?x48x8x16xf32>) dt_limit(0.0, 1.0) chunk(256) acc(f32)
    return %y, %s1 : tensor<96x384xf32>, tensor<?x48x8x16xf32>
  }
  // Small rows are gathered until a workgroup is worth its while.
  // CHECK: @norm{{.*}}bamba.schedule = #bamba.cpu_schedule<workgroup = [32], rows = 1, depth = 0, chunk = 0>
  func.func private @norm(%x: tensor<64x128xf32>, %w: tensor<128xf32>, %e: tensor<64x128xf32>) -> tensor<64x128xf32> attributes {bamba.kernel} {
    %r = bamba.rms_norm ins(%x, %w : tensor<64x128xf32>, tensor<128xf32>) outs(%e : tensor<64x128xf32>) eps(1.0e-05)
    return %r : tensor<64x128xf32>
  }
}
