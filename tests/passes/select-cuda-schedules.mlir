// Several files in one: roundtrip: no
// RUN: split-file %s %t
// RUN: bambac-opt %t/kernels.mlir --bamba-select-schedules | FileCheck %s
// RUN: sed 's/sm_90a/sm_86/;s/232448/101376/' %t/kernels.mlir > %t/sm_86.mlir
// RUN: bambac-opt %t/sm_86.mlir --bamba-select-schedules | FileCheck %s --check-prefix=SM86
// RUN: bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/override.json" | FileCheck %s --check-prefix=OVERRIDE
// RUN: bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/target.json" | FileCheck %s --check-prefix=TARGET
// RUN: bambac-opt %t/sm_86.mlir --bamba-select-schedules="file=%t/target.json" | FileCheck %s --check-prefix=OTHER
// RUN: bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/collective.json" | FileCheck %s --check-prefix=COLLECTIVE
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/field.json" 2>&1 | FileCheck %s --check-prefix=FIELD
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/none.json" 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/size.json" 2>&1 | FileCheck %s --check-prefix=SIZE
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/zero.json" 2>&1 | FileCheck %s --check-prefix=ZERO
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/plus.json" 2>&1 | FileCheck %s --check-prefix=PLUS
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/zeros.json" 2>&1 | FileCheck %s --check-prefix=ZEROS
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/point.json" 2>&1 | FileCheck %s --check-prefix=POINT
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/nested.json" 2>&1 | FileCheck %s --check-prefix=NESTED
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/many.json" 2>&1 | FileCheck %s --check-prefix=MANY
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/most.json" 2>&1 | FileCheck %s --check-prefix=MOST
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=/dev/zero" 2>&1 | FileCheck %s --check-prefix=DEVICE
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/heads.json" 2>&1 | FileCheck %s --check-prefix=HEADS
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/panels.json" 2>&1 | FileCheck %s --check-prefix=PANELS
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/registers.json" 2>&1 | FileCheck %s --check-prefix=REGISTERS
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/rows.json" 2>&1 | FileCheck %s --check-prefix=ROWS
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/tall.json" 2>&1 | FileCheck %s --check-prefix=TALL
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/singles.json" 2>&1 | FileCheck %s --check-prefix=SINGLES
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/chunk.json" 2>&1 | FileCheck %s --check-prefix=CHUNK
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/split.json" 2>&1 | FileCheck %s --check-prefix=SPLIT
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/few-rows.json" 2>&1 | FileCheck %s --check-prefix=FEWROWS
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/odd-rows.json" 2>&1 | FileCheck %s --check-prefix=ODDROWS
// RUN: bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/some-rows.json" | FileCheck %s --check-prefix=SOMEROWS
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/shared.json" 2>&1 | FileCheck %s --check-prefix=SHARED
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/inputs.json" 2>&1 | FileCheck %s --check-prefix=INPUTS
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/widths.json" 2>&1 | FileCheck %s --check-prefix=WIDTHS
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/wrong.json" 2>&1 | FileCheck %s --check-prefix=WRONG
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/some.json" 2>&1 | FileCheck %s --check-prefix=SOME
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/unused.json" 2>&1 | FileCheck %s --check-prefix=UNUSED
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/empty.json" 2>&1 | FileCheck %s --check-prefix=EMPTY
// RUN: not bambac-opt %t/kernels.mlir --bamba-select-schedules="file=%t/object.json" 2>&1 | FileCheck %s --check-prefix=OBJECT

// FIELD: error: {{.*}}field.json: field 'linear_skinny*': kernel 'linear_skinny' of sm_90a: expected a field of wgmma/linear_skinny (stages), found 'tile'
// NONE: error: {{.*}}none.json: field 'norm': kernel 'norm' of sm_90a: expected a kernel with a schedule to choose, found one of common/rms_norm
// SIZE: error: {{.*}}size.json: field 'linear*': kernel 'linear_skinny' of sm_90a: field 'stages': expected a size, found "two"
// ZERO: error: {{.*}}zero.json: field 'linear_skinny': kernel 'linear_skinny' of sm_90a: field 'stages': expected a size from 1 to 1024, found 0
// What the parser takes although JSON has no such numbers, and what it would follow on the stack.
// PLUS: error: {{.*}}plus.json: expected JSON, whose numbers are such as -1 or 0.5e-3, found '+3'
// ZEROS: error: {{.*}}zeros.json: expected JSON, whose numbers are such as -1 or 0.5e-3, found '03'
// POINT: error: {{.*}}point.json: expected JSON, whose numbers are such as -1 or 0.5e-3, found '3.'
// NESTED: error: {{.*}}nested.json: expected JSON nested at most 64 deep
// Products of fields never overflow.
// MANY: error: {{.*}}many.json: field 'linear_middle': kernel 'linear_middle' of sm_90a: field 'stages': expected a size from 1 to 1024, found 65536
// MOST: error: {{.*}}most.json: field 'linear_middle': kernel 'linear_middle' of sm_90a: field 'stages': expected a size, found 4294967299
// DEVICE: error: {{.*}}/dev/zero: expected a schedule file, found a device
// PANELS: error: {{.*}}panels.json: field 'attention_panels': kernel 'attention_panels' of sm_90a: expected a multiple of 64 elements of a head, found 96
// REGISTERS: error: {{.*}}registers.json: field 'attention_wide': kernel 'attention_wide' of sm_90a: expected at most 144 registers a thread, found 184
// ROWS: error: {{.*}}rows.json: field 'attention_wide': kernel 'attention_wide' of sm_90a: field 'tile_queries': expected a multiple of 64, found 96
// TALL: error: {{.*}}tall.json: field 'attention_wide': kernel 'attention_wide' of sm_90a: field 'tile_queries': expected at most 192, found 256
// Three warpgroups that multiply leave no registers for single rows with all of their heads.
// SINGLES: error: {{.*}}singles.json: field 'attention_pieces': kernel 'attention_pieces' of sm_90a: expected at most 144 registers a thread, found 192
// HEADS: error: {{.*}}heads.json: field 'attention_short': kernel 'attention_short' of sm_90a: field 'single_tile_heads': expected a divisor of 2, found 3
// CHUNK: error: {{.*}}chunk.json: field 'scan': kernel 'scan' of sm_90a: expected a field of wgmma/ssm_scan (none), found 'chunk'
// SPLIT: error: {{.*}}split.json: field 'linear_middle': kernel 'linear_middle' of sm_90a: field 'split': expected at most 4, found 5
// A tile has all rows, or some in a cluster.
// FEWROWS: error: {{.*}}few-rows.json: field 'linear_middle': kernel 'linear_middle' of sm_90a: field 'tile_rows': expected at least 36, found 24
// ODDROWS: error: {{.*}}odd-rows.json: field 'linear_middle': kernel 'linear_middle' of sm_90a: field 'tile_rows': expected a multiple of 8, found 20
// SHARED: error: {{.*}}shared.json: field 'linear_large': kernel 'linear_large' of sm_90a: expected at most 232448 bytes of shared memory, found 327888
// WIDTHS: error: {{.*}}widths.json: field 'linear_large': kernel 'linear_large' of sm_90a: expected 128 tile_rows of tiles of several widths, found 256
// INPUTS: error: {{.*}}inputs.json: field 'step_tall': kernel 'step_tall' of sm_90a: expected at most 49152 bytes of inputs and entries, found
// WRONG: error: {{.*}}wrong.json: field 'scan': kernel 'scan' of sm_90a: field 'collective': expected one that computes bamba.ssm_scan on sm_90a (wgmma/ssm_scan, mma/ssm_scan), found 'mma/linear'
// SOME: error: {{.*}}some.json: field 'linear_skinny': kernel 'linear_skinny' of sm_90a: field 'tile_rows': expected all fields of wgmma/linear_large (tile_rows, tile_columns, stages, least_columns), found none
// UNUSED: error: {{.*}}unused.json: field 'linaer_*': expected a kernel of that name, found none for sm_90a
// EMPTY: error: {{.*}}empty.json: field 'linear_skinny': expected fields of a schedule, found none
// OBJECT: error: {{.*}}object.json: field 'sm_90a.linear_skinny': expected an object, found 4

//--- inputs.json
{"step_tall": {"channel_tile": 8192}}
//--- field.json
{"linear_skinny*": {"tile": 4}}
//--- none.json
{"norm": {"rows": 4}}
//--- size.json
{"linear*": {"stages": "two"}}
//--- zero.json
{"linear_skinny": {"stages": 0}}
//--- plus.json
{"linear_skinny": {"stages": +3}}
//--- zeros.json
{"linear_skinny": {"stages": 03}}
//--- point.json
{"cpu": {"linear_*": {"rows": 4, "workgroup": [0, 128]}}, "linear_skinny": {"stages": 3.}}
//--- nested.json
{"sm_90a": {"a \" {": {"stages": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
//--- many.json
{"linear_middle": {"stages": 65536}}
//--- most.json
{"linear_middle": {"stages": 4294967299}}
//--- heads.json
{"attention_short": {"single_splits": 4, "single_tile_heads": 3}}
//--- chunk.json
{"scan": {"chunk": 32}}
//--- split.json
{"linear_middle": {"tile_columns": 64, "split": 5}}
//--- few-rows.json
{"linear_middle": {"tile_rows": 24, "split": 1}}
//--- odd-rows.json
{"linear_middle": {"tile_rows": 20, "split": 2}}
//--- some-rows.json
{"linear_middle": {"tile_rows": 24, "split": 2}}
//--- shared.json
{"linear_large": {"stages": 9}}
//--- widths.json
{"linear_large": {"tile_rows": 256, "tile_columns": 128, "least_columns": 64, "stages": 2}}
//--- wrong.json
{"scan": {"collective": "mma/linear"}}
//--- some.json
{"linear_skinny": {"collective": "wgmma/linear_large", "stages": 3}}
//--- unused.json
{"linaer_*": {"stages": 3}}
//--- empty.json
{"linear_skinny": {}}
//--- object.json
{"sm_90a": {"linear_skinny": 4}}
//--- override.json
{"linear_s*": {"stages": 5}, "linear_middle": {"split": 2}, "linear_m*": {"stages": 4}, "attention_wide": {"tile_queries": 192, "tile_keys": 64}}
//--- target.json
{"cpu": {"nothing": {"rows": 4, "workgroup": [0, 128]}}, "sm_90a": {"linear_skinny": {"stages": 6}}, "sm_86": {"scan": {"chunk": 32}}}
//--- collective.json
{"linear_skinny": {"collective": "mma/linear", "stages": 2}, "scan": {"collective": "mma/ssm_scan"}, "attention_wide": {"collective": "mma/attention_prefill"}}
//--- panels.json
{"attention_panels": {"collective": "wgmma/attention_prefill", "tile_queries": 128, "tile_keys": 64, "single_splits": 0, "single_tile_heads": 0}}
//--- registers.json
{"attention_wide": {"tile_queries": 192, "tile_keys": 160}}
//--- rows.json
{"attention_wide": {"tile_queries": 96}}
//--- tall.json
{"attention_wide": {"tile_queries": 256}}
//--- singles.json
{"attention_pieces": {"tile_queries": 192, "tile_keys": 64, "single_splits": 16, "single_tile_heads": 2}}
//--- kernels.mlir
module attributes {bamba.target = #bamba.cuda_target<arch = "sm_90a", shared_bytes = 232448, multiprocessors = 132>} {
  // Few rows: the weights stream through.
  // CHECK: @linear_skinny({{.*}}collective = "wgmma/linear_skinny"
  // OVERRIDE: @linear_skinny({{.*}}fields = {{.*}}stages = 5 : i64
  // TARGET: @linear_skinny({{.*}}fields = {stages = 6 : i64}
  // OTHER: @linear_skinny({{.*}}fields = {stages = 4 : i64, tile_columns = 32 : i64, tile_rows = 16 : i64}
  // COLLECTIVE: @linear_skinny({{.*}}collective = "mma/linear", fields = {stages = 2 : i64, tile_columns = 32 : i64, tile_rows = 16 : i64}
  // SM86: @linear_skinny({{.*}}collective = "mma/linear"
  func.func private @linear_skinny(%x: tensor<16x256xbf16>, %w: tensor<512x256xbf16>, %e: tensor<16x512xf32>) -> tensor<16x512xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<16x256xbf16>, tensor<512x256xbf16>) outs(%e : tensor<16x512xf32>) acc(f32)
    return %r : tensor<16x512xf32>
  }
  // Nine rows of as many columns as give the middle linear blocks for all multiprocessors.
  // CHECK: @linear_nine({{.*}}collective = "wgmma/linear_middle", fields = {split = 2 : i64, {{.*}}tile_columns = 64 : i64, {{.*}}tile_rows = 16 : i64}
  // SM86: @linear_nine({{.*}}collective = "mma/linear"
  func.func private @linear_nine(%x: tensor<9x4096xbf16>, %w: tensor<4096x4096xbf16>, %e: tensor<9x4096xf32>) -> tensor<9x4096xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<9x4096xbf16>, tensor<4096x4096xbf16>) outs(%e : tensor<9x4096xf32>) acc(f32)
    return %r : tensor<9x4096xf32>
  }
  // Some rows: one tile holds them all.
  // CHECK: @linear_middle({{.*}}collective = "wgmma/linear_middle"
  // SOMEROWS: @linear_middle({{.*}}split = 2 : i64, {{.*}}tile_rows = 24 : i64
  // OVERRIDE: @linear_middle({{.*}}split = 2 : i64, stages = 4 : i64, {{.*}}tile_rows = 40 : i64
  // SM86: @linear_middle({{.*}}collective = "mma/linear"
  func.func private @linear_middle(%x: tensor<36x256xbf16>, %w: tensor<512x256xbf16>, %e: tensor<36x512xf32>) -> tensor<36x512xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<36x256xbf16>, tensor<512x256xbf16>) outs(%e : tensor<36x512xf32>) acc(f32)
    return %r : tensor<36x512xf32>
  }
  // CHECK: @linear_full({{.*}}collective = "wgmma/linear_middle"
  // SM86: @linear_full({{.*}}collective = "mma/linear"
  func.func private @linear_full(%x: tensor<256x256xbf16>, %w: tensor<512x256xbf16>, %e: tensor<256x512xf32>) -> tensor<256x512xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<256x256xbf16>, tensor<512x256xbf16>) outs(%e : tensor<256x512xf32>) acc(f32)
    return %r : tensor<256x512xf32>
  }
  // Many rows, with an add after it: the linear decides.
  // CHECK: @linear_large({{.*}}bamba.fallbacks = [#bamba.cuda_schedule<collective = "wgmma/linear_large"{{.*}}bamba.schedule = #bamba.cuda_schedule<collective = "wgmma/linear_large"
  func.func private @linear_large(%x: tensor<512x256xbf16>, %w: tensor<512x256xbf16>, %y: tensor<512x512xf32>, %e: tensor<512x512xf32>) -> tensor<512x512xf32> attributes {bamba.kernel} {
    %l = tensor.empty() : tensor<512x512xf32>
    %r = bamba.linear ins(%x, %w : tensor<512x256xbf16>, tensor<512x256xbf16>) outs(%l : tensor<512x512xf32>) acc(f32)
    %s = linalg.add ins(%y, %r : tensor<512x512xf32>, tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
    return %s : tensor<512x512xf32>
  }
  // Many rows of codes: sums that are taken over into f32 need registers. The widest tile has some for half of them,
  // which pays where it takes fewer rounds: 512 tiles for 704, on 132 multiprocessors.
  // CHECK: @linear_codes({{.*}}bamba.schedule = #bamba.cuda_schedule<collective = "wgmma/linear_large", fields = {{.*}}tile_columns = 192 : i64, tile_rows = 128 : i64
  func.func private @linear_codes(%x: tensor<4096x4096xf8E4M3FN>, %w: tensor<16768x4096xf8E4M3FN>, %xs: tensor<4096x1xf32>, %ws: tensor<1x16768xf32>, %e: tensor<4096x16768xf32>) -> tensor<4096x16768xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<4096x4096xf8E4M3FN>, tensor<16768x4096xf8E4M3FN>) scales(%xs, %ws : tensor<4096x1xf32>, tensor<1x16768xf32>) group(0) outs(%e : tensor<4096x16768xf32>) acc(f32)
    return %r : tensor<4096x16768xf32>
  }
  // CHECK: @linear_codes_few_tiles({{.*}}bamba.schedule = #bamba.cuda_schedule<collective = "wgmma/linear_large", fields = {{.*}}tile_columns = 256 : i64, tile_rows = 128 : i64
  func.func private @linear_codes_few_tiles(%x: tensor<4096x14336xf8E4M3FN>, %w: tensor<4096x14336xf8E4M3FN>, %xs: tensor<4096x1xf32>, %ws: tensor<1x4096xf32>, %e: tensor<4096x4096xf32>) -> tensor<4096x4096xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<4096x14336xf8E4M3FN>, tensor<4096x14336xf8E4M3FN>) scales(%xs, %ws : tensor<4096x1xf32>, tensor<1x4096xf32>) group(0) outs(%e : tensor<4096x4096xf32>) acc(f32)
    return %r : tensor<4096x4096xf32>
  }
  // Scales of groups leave no registers for it.
  // CHECK: @linear_codes_groups({{.*}}bamba.schedule = #bamba.cuda_schedule<collective = "wgmma/linear_large", fields = {{.*}}tile_columns = 192 : i64, tile_rows = 128 : i64
  func.func private @linear_codes_groups(%x: tensor<4096x14336xf8E4M3FN>, %w: tensor<4096x14336xf8E4M3FN>, %xs: tensor<4096x112xf32>, %ws: tensor<112x4096xf32>, %e: tensor<4096x4096xf32>) -> tensor<4096x4096xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<4096x14336xf8E4M3FN>, tensor<4096x14336xf8E4M3FN>) scales(%xs, %ws : tensor<4096x112xf32>, tensor<112x4096xf32>) group(128) outs(%e : tensor<4096x4096xf32>) acc(f32)
    return %r : tensor<4096x4096xf32>
  }
  // Some rows of codes and few columns: two tiles of rows, each of which a cluster takes.
  // CHECK: @linear_codes_rows({{.*}}bamba.schedule = #bamba.cuda_schedule<collective = "wgmma/linear_middle", fields = {split = 2 : i64, {{.*}}tile_columns = 128 : i64, {{.*}}tile_rows = 128 : i64
  func.func private @linear_codes_rows(%x: tensor<256x14336xf8E4M3FN>, %w: tensor<4096x14336xf8E4M3FN>, %xs: tensor<256x1xf32>, %ws: tensor<1x4096xf32>, %e: tensor<256x4096xf32>) -> tensor<256x4096xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<256x14336xf8E4M3FN>, tensor<4096x14336xf8E4M3FN>) scales(%xs, %ws : tensor<256x1xf32>, tensor<1x4096xf32>) group(0) outs(%e : tensor<256x4096xf32>) acc(f32)
    return %r : tensor<256x4096xf32>
  }
  // CHECK: @linear_codes_fewer({{.*}}bamba.schedule = #bamba.cuda_schedule<collective = "wgmma/linear_middle", fields = {split = 2 : i64, {{.*}}tile_columns = 64 : i64, {{.*}}tile_rows = 128 : i64
  func.func private @linear_codes_fewer(%x: tensor<128x14336xf8E4M3FN>, %w: tensor<4096x14336xf8E4M3FN>, %xs: tensor<128x1xf32>, %ws: tensor<1x4096xf32>, %e: tensor<128x4096xf32>) -> tensor<128x4096xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<128x14336xf8E4M3FN>, tensor<4096x14336xf8E4M3FN>) scales(%xs, %ws : tensor<128x1xf32>, tensor<1x4096xf32>) group(0) outs(%e : tensor<128x4096xf32>) acc(f32)
    return %r : tensor<128x4096xf32>
  }
  // CHECK: @linear_fast({{.*}}bamba.schedule = #bamba.cuda_schedule<collective = "wgmma/linear_large", fields = {{.*}}tile_columns = 256 : i64, tile_rows = 128 : i64
  func.func private @linear_fast(%x: tensor<4096x4096xf8E4M3FN>, %w: tensor<16768x4096xf8E4M3FN>, %xs: tensor<4096x1xf32>, %ws: tensor<1x16768xf32>, %e: tensor<4096x16768xf32>) -> tensor<4096x16768xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<4096x4096xf8E4M3FN>, tensor<16768x4096xf8E4M3FN>) scales(%xs, %ws : tensor<4096x1xf32>, tensor<1x16768xf32>) group(0) outs(%e : tensor<4096x16768xf32>) acc(f32) fast_accumulate
    return %r : tensor<4096x16768xf32>
  }
  // CHECK: @norm({{.*}}collective = "common/rms_norm"
  // SM86: @norm({{.*}}collective = "common/rms_norm"
  func.func private @norm(%x: tensor<64x128xf32>, %w: tensor<128xf32>, %e: tensor<64x128xbf16>) -> tensor<64x128xbf16> attributes {bamba.kernel} {
    %r = bamba.rms_norm ins(%x, %w : tensor<64x128xf32>, tensor<128xf32>) outs(%e : tensor<64x128xbf16>) eps(1.0e-05)
    return %r : tensor<64x128xbf16>
  }
  // Tiles of 128 rows where they leave few multiprocessors idle: 256 tiles of 224 columns on 132.
  // CHECK: @linear_wide({{.*}}collective = "wgmma/linear_large", fields = {least_columns = 224 : i64, stages = 4 : i64, tile_columns = 224 : i64, tile_rows = 128 : i64}
  func.func private @linear_wide(%x: tensor<256x4096xbf16>, %w: tensor<28672x4096xbf16>, %e: tensor<256x28672xf32>) -> tensor<256x28672xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<256x4096xbf16>, tensor<28672x4096xbf16>) outs(%e : tensor<256x28672xf32>) acc(f32)
    return %r : tensor<256x28672xf32>
  }
  // Two heads a block where there is a block for each multiprocessor.
  // CHECK: @step_many({{.*}}collective = "common/ssm_step", fields = {channel_tile = 16 : i64, threads = 128 : i64}
  func.func private @step_many(%x: tensor<132x16xbf16>, %dt: tensor<132x2xbf16>, %b: tensor<132x16xbf16>, %h: tensor<2xf32>, %i: tensor<132xi32>, %e: tensor<132x16xbf16>, %s: tensor<?x2x8x16xf32>) -> (tensor<132x16xbf16>, tensor<?x2x8x16xf32>) attributes {bamba.kernel} {
    %y, %s1 = bamba.ssm_step ins(%x, %dt, %b, %b, %h, %h, %h, %i : tensor<132x16xbf16>, tensor<132x2xbf16>, tensor<132x16xbf16>, tensor<132x16xbf16>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<132xi32>) outs(%e, %s : tensor<132x16xbf16>, tensor<?x2x8x16xf32>) dt_limit(0.0, 1.0) acc(f32)
    return %y, %s1 : tensor<132x16xbf16>, tensor<?x2x8x16xf32>
  }
  // Four, of few bytes, where each multiprocessor has many blocks: 1056 * 8 / 4 of them on 132.
  // CHECK: @step_very_many({{.*}}collective = "common/ssm_step", fields = {channel_tile = 32 : i64, threads = 128 : i64}
  func.func private @step_very_many(%x: tensor<1056x64xbf16>, %dt: tensor<1056x8xbf16>, %b: tensor<1056x16xbf16>, %h: tensor<8xf32>, %i: tensor<1056xi32>, %e: tensor<1056x64xbf16>, %s: tensor<?x8x8x16xf32>) -> (tensor<1056x64xbf16>, tensor<?x8x8x16xf32>) attributes {bamba.kernel} {
    %y, %s1 = bamba.ssm_step ins(%x, %dt, %b, %b, %h, %h, %h, %i : tensor<1056x64xbf16>, tensor<1056x8xbf16>, tensor<1056x16xbf16>, tensor<1056x16xbf16>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<1056xi32>) outs(%e, %s : tensor<1056x64xbf16>, tensor<?x8x8x16xf32>) dt_limit(0.0, 1.0) acc(f32)
    return %y, %s1 : tensor<1056x64xbf16>, tensor<?x8x8x16xf32>
  }
  // What a block declares for inputs and results is at most 48 KiB.
  // CHECK: @step_tall({{.*}}collective = "common/ssm_step", fields = {channel_tile = 4096 : i64, threads = 256 : i64}
  func.func private @step_tall(%x: tensor<1x16384xbf16>, %dt: tensor<1x2xbf16>, %b: tensor<1x4xbf16>, %h: tensor<2xf32>, %i: tensor<1xi32>, %e: tensor<1x16384xbf16>, %s: tensor<?x2x8192x4xf32>) -> (tensor<1x16384xbf16>, tensor<?x2x8192x4xf32>) attributes {bamba.kernel} {
    %y, %s1 = bamba.ssm_step ins(%x, %dt, %b, %b, %h, %h, %h, %i : tensor<1x16384xbf16>, tensor<1x2xbf16>, tensor<1x4xbf16>, tensor<1x4xbf16>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<1xi32>) outs(%e, %s : tensor<1x16384xbf16>, tensor<?x2x8192x4xf32>) dt_limit(0.0, 1.0) acc(f32)
    return %y, %s1 : tensor<1x16384xbf16>, tensor<?x2x8192x4xf32>
  }
  // Codes: two heads a block, with many threads where all blocks (384, then 448) run at once, three a multiprocessor;
  // four heads where multiprocessors have many blocks to do and room for five at a time.
  // CHECK: @step_codes_few({{.*}}collective = "common/ssm_step", fields = {channel_tile = 128 : i64, threads = 256 : i64}
  func.func private @step_codes_few(%x: tensor<6x8192xbf16>, %dt: tensor<6x128xf32>, %b: tensor<6x128xbf16>, %h: tensor<128xf32>, %i: tensor<6xi32>, %e: tensor<6x8192xf32>, %s: tensor<?x128x64x128xi8>, %w: tensor<?x7x8320xbf16>, %d: tensor<?x7x128xf32>, %f: tensor<?x128x64xf32>) -> (tensor<6x8192xf32>, tensor<?x128x64x128xi8>, tensor<?x7x8320xbf16>, tensor<?x7x128xf32>, tensor<?x128x64xf32>) attributes {bamba.kernel} {
    %y, %s1, %r:3 = bamba.ssm_step ins(%x, %dt, %b, %b, %h, %h, %h, %i : tensor<6x8192xbf16>, tensor<6x128xf32>, tensor<6x128xbf16>, tensor<6x128xbf16>, tensor<128xf32>, tensor<128xf32>, tensor<128xf32>, tensor<6xi32>) outs(%e, %s : tensor<6x8192xf32>, tensor<?x128x64x128xi8>) ring(%i, %w, %d : tensor<6xi32>, tensor<?x7x8320xbf16>, tensor<?x7x128xf32>) scales(%f : tensor<?x128x64xf32>) dt_limit(0.0, 1.0) acc(f32)
    return %y, %s1, %r#0, %r#1, %r#2 : tensor<6x8192xf32>, tensor<?x128x64x128xi8>, tensor<?x7x8320xbf16>, tensor<?x7x128xf32>, tensor<?x128x64xf32>
  }
  // CHECK: @step_codes({{.*}}collective = "common/ssm_step", fields = {channel_tile = 128 : i64, threads = 128 : i64}
  func.func private @step_codes(%x: tensor<7x8192xbf16>, %dt: tensor<7x128xf32>, %b: tensor<7x128xbf16>, %h: tensor<128xf32>, %i: tensor<7xi32>, %e: tensor<7x8192xf32>, %s: tensor<?x128x64x128xi8>, %w: tensor<?x7x8320xbf16>, %d: tensor<?x7x128xf32>, %f: tensor<?x128x64xf32>) -> (tensor<7x8192xf32>, tensor<?x128x64x128xi8>, tensor<?x7x8320xbf16>, tensor<?x7x128xf32>, tensor<?x128x64xf32>) attributes {bamba.kernel} {
    %y, %s1, %r:3 = bamba.ssm_step ins(%x, %dt, %b, %b, %h, %h, %h, %i : tensor<7x8192xbf16>, tensor<7x128xf32>, tensor<7x128xbf16>, tensor<7x128xbf16>, tensor<128xf32>, tensor<128xf32>, tensor<128xf32>, tensor<7xi32>) outs(%e, %s : tensor<7x8192xf32>, tensor<?x128x64x128xi8>) ring(%i, %w, %d : tensor<7xi32>, tensor<?x7x8320xbf16>, tensor<?x7x128xf32>) scales(%f : tensor<?x128x64xf32>) dt_limit(0.0, 1.0) acc(f32)
    return %y, %s1, %r#0, %r#1, %r#2 : tensor<7x8192xf32>, tensor<?x128x64x128xi8>, tensor<?x7x8320xbf16>, tensor<?x7x128xf32>, tensor<?x128x64xf32>
  }
  // CHECK: @step_codes_many({{.*}}collective = "common/ssm_step", fields = {channel_tile = 256 : i64, threads = 128 : i64}
  func.func private @step_codes_many(%x: tensor<66x8192xbf16>, %dt: tensor<66x128xf32>, %b: tensor<66x128xbf16>, %h: tensor<128xf32>, %i: tensor<66xi32>, %e: tensor<66x8192xf32>, %s: tensor<?x128x64x128xi8>, %w: tensor<?x7x8320xbf16>, %d: tensor<?x7x128xf32>, %f: tensor<?x128x64xf32>) -> (tensor<66x8192xf32>, tensor<?x128x64x128xi8>, tensor<?x7x8320xbf16>, tensor<?x7x128xf32>, tensor<?x128x64xf32>) attributes {bamba.kernel} {
    %y, %s1, %r:3 = bamba.ssm_step ins(%x, %dt, %b, %b, %h, %h, %h, %i : tensor<66x8192xbf16>, tensor<66x128xf32>, tensor<66x128xbf16>, tensor<66x128xbf16>, tensor<128xf32>, tensor<128xf32>, tensor<128xf32>, tensor<66xi32>) outs(%e, %s : tensor<66x8192xf32>, tensor<?x128x64x128xi8>) ring(%i, %w, %d : tensor<66xi32>, tensor<?x7x8320xbf16>, tensor<?x7x128xf32>) scales(%f : tensor<?x128x64xf32>) dt_limit(0.0, 1.0) acc(f32)
    return %y, %s1, %r#0, %r#1, %r#2 : tensor<66x8192xf32>, tensor<?x128x64x128xi8>, tensor<?x7x8320xbf16>, tensor<?x7x128xf32>, tensor<?x128x64xf32>
  }
  // The state space op decides for what is around it.
  // CHECK: @step({{.*}}collective = "common/ssm_step"
  func.func private @step(%x: tensor<4x16xbf16>, %dt: tensor<4x2xbf16>, %h: tensor<2xf32>, %i: tensor<4xi32>, %e: tensor<4x16xbf16>, %s: tensor<?x2x8x16xf32>) -> (tensor<4x16xbf16>, tensor<?x2x8x16xf32>) attributes {bamba.kernel} {
    %t = tensor.empty() : tensor<4x16xbf16>
    %y, %s1 = bamba.ssm_step ins(%x, %dt, %x, %x, %h, %h, %h, %i : tensor<4x16xbf16>, tensor<4x2xbf16>, tensor<4x16xbf16>, tensor<4x16xbf16>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<4xi32>) outs(%t, %s : tensor<4x16xbf16>, tensor<?x2x8x16xf32>) dt_limit(0.0, 1.0) acc(f32)
    %g = bamba.swiglu ins(%x, %y : tensor<4x16xbf16>, tensor<4x16xbf16>) outs(%e : tensor<4x16xbf16>)
    return %g, %s1 : tensor<4x16xbf16>, tensor<?x2x8x16xf32>
  }
  // CHECK: @scan({{.*}}collective = "wgmma/ssm_scan", fields = {}
  // OTHER: @scan({{.*}}collective = "mma/ssm_scan", fields = {chunk = 32 : i64}
  // COLLECTIVE: @scan({{.*}}collective = "mma/ssm_scan", fields = {chunk = 64 : i64}
  func.func private @scan(%x: tensor<96x64xbf16>, %dt: tensor<96x2xbf16>, %b: tensor<96x16xbf16>, %h: tensor<2xf32>, %i: tensor<1xi32>, %st: tensor<2xi32>, %e: tensor<96x64xbf16>, %s: tensor<?x2x32x16xf32>) -> (tensor<96x64xbf16>, tensor<?x2x32x16xf32>) attributes {bamba.kernel} {
    %y, %s1 = bamba.ssm_scan ins(%x, %dt, %b, %b, %h, %h, %h, %i, %st : tensor<96x64xbf16>, tensor<96x2xbf16>, tensor<96x16xbf16>, tensor<96x16xbf16>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<1xi32>, tensor<2xi32>) outs(%e, %s : tensor<96x64xbf16>, tensor<?x2x32x16xf32>) dt_limit(0.0, 1.0) chunk(256) acc(f32)
    return %y, %s1 : tensor<96x64xbf16>, tensor<?x2x32x16xf32>
  }
  // One token of each of 4 sequences, and 32 or 256 of one.
  // CHECK: @attention_decode({{.*}}collective = "common/attention_decode"
  func.func private @attention_decode(%q: tensor<4x32xbf16>, %k: tensor<?x2x16x8xbf16>, %p: tensor<4xi32>, %pages: tensor<4x2xi32>, %e: tensor<4x32xbf16>) -> tensor<4x32xbf16> attributes {bamba.kernel} {
    %r = bamba.attention ins(%q, %k, %k, %p, %pages : tensor<4x32xbf16>, tensor<?x2x16x8xbf16>, tensor<?x2x16x8xbf16>, tensor<4xi32>, tensor<4x2xi32>) outs(%e : tensor<4x32xbf16>) scale(0.5) acc(f32)
    return %r : tensor<4x32xbf16>
  }
  // CHECK: @attention_short({{.*}}collective = "mma/attention_prefill"
  func.func private @attention_short(%q: tensor<32x32xbf16>, %k: tensor<?x2x16x8xbf16>, %p: tensor<32xi32>, %pages: tensor<1x2xi32>, %st: tensor<2xi32>, %e: tensor<32x32xbf16>) -> tensor<32x32xbf16> attributes {bamba.kernel} {
    %r = bamba.attention ins(%q, %k, %k, %p, %pages : tensor<32x32xbf16>, tensor<?x2x16x8xbf16>, tensor<?x2x16x8xbf16>, tensor<32xi32>, tensor<1x2xi32>) starts(%st : tensor<2xi32>) outs(%e : tensor<32x32xbf16>) scale(0.5) acc(f32)
    return %r : tensor<32x32xbf16>
  }
  // CHECK: @attention_long({{.*}}collective = "mma/attention_prefill"
  func.func private @attention_long(%q: tensor<256x32xbf16>, %k: tensor<?x2x16x8xbf16>, %p: tensor<256xi32>, %pages: tensor<1x32xi32>, %st: tensor<2xi32>, %e: tensor<256x32xbf16>) -> tensor<256x32xbf16> attributes {bamba.kernel} {
    %r = bamba.attention ins(%q, %k, %k, %p, %pages : tensor<256x32xbf16>, tensor<?x2x16x8xbf16>, tensor<?x2x16x8xbf16>, tensor<256xi32>, tensor<1x32xi32>) starts(%st : tensor<2xi32>) outs(%e : tensor<256x32xbf16>) scale(0.5) acc(f32)
    return %r : tensor<256x32xbf16>
  }
  // CHECK: @attention_wide({{.*}}collective = "wgmma/attention_prefill", fields = {single_splits = 0 : i64, single_tile_heads = 0 : i64, tile_keys = 128 : i64, tile_queries = 128 : i64}
  // SM86: @attention_wide({{.*}}collective = "mma/attention_prefill"
  // OVERRIDE: @attention_wide({{.*}}collective = "wgmma/attention_prefill", fields = {single_splits = 0 : i64, single_tile_heads = 0 : i64, tile_keys = 64 : i64, tile_queries = 192 : i64}
  // COLLECTIVE: @attention_wide({{.*}}collective = "mma/attention_prefill"
  func.func private @attention_wide(%q: tensor<256x256xbf16>, %k: tensor<?x2x16x64xbf16>, %p: tensor<256xi32>, %pages: tensor<1x32xi32>, %st: tensor<2xi32>, %e: tensor<256x256xbf16>) -> tensor<256x256xbf16> attributes {bamba.kernel} {
    %r = bamba.attention ins(%q, %k, %k, %p, %pages : tensor<256x256xbf16>, tensor<?x2x16x64xbf16>, tensor<?x2x16x64xbf16>, tensor<256xi32>, tensor<1x32xi32>) starts(%st : tensor<2xi32>) outs(%e : tensor<256x256xbf16>) scale(0.5) acc(f32)
    return %r : tensor<256x256xbf16>
  }
  // Few rows are one warpgroup's; pieces of one row of wide heads fit beside no more.
  // CHECK: @attention_few({{.*}}collective = "wgmma/attention_prefill", fields = {single_splits = 0 : i64, single_tile_heads = 0 : i64, tile_keys = 128 : i64, tile_queries = 64 : i64}
  func.func private @attention_few(%q: tensor<16x256xbf16>, %k: tensor<?x2x16x64xbf16>, %p: tensor<16xi32>, %pages: tensor<1x32xi32>, %st: tensor<2xi32>, %e: tensor<16x256xbf16>) -> tensor<16x256xbf16> attributes {bamba.kernel} {
    %r = bamba.attention ins(%q, %k, %k, %p, %pages : tensor<16x256xbf16>, tensor<?x2x16x64xbf16>, tensor<?x2x16x64xbf16>, tensor<16xi32>, tensor<1x32xi32>) starts(%st : tensor<2xi32>) outs(%e : tensor<16x256xbf16>) scale(0.5) acc(f32)
    return %r : tensor<16x256xbf16>
  }
  // CHECK: @attention_pieces({{.*}}collective = "wgmma/attention_prefill", fields = {single_splits = 16 : i64, single_tile_heads = 2 : i64, tile_keys = 128 : i64, tile_queries = 64 : i64}
  func.func private @attention_pieces(%q: tensor<256x768xbf16>, %k: tensor<?x2x16x192xbf16>, %p: tensor<256xi32>, %pages: tensor<8x32xi32>, %st: tensor<9xi32>, %e: tensor<256x768xbf16>) -> tensor<256x768xbf16> attributes {bamba.kernel} {
    %r = bamba.attention ins(%q, %k, %k, %p, %pages : tensor<256x768xbf16>, tensor<?x2x16x192xbf16>, tensor<?x2x16x192xbf16>, tensor<256xi32>, tensor<8x32xi32>) starts(%st : tensor<9xi32>) outs(%e : tensor<256x768xbf16>) scale(0.5) acc(f32)
    return %r : tensor<256x768xbf16>
  }
  // No instruction multiplies half a panel of a head.
  // CHECK: @attention_panels({{.*}}collective = "mma/attention_prefill"
  func.func private @attention_panels(%q: tensor<256x192xbf16>, %k: tensor<?x2x16x96xbf16>, %p: tensor<256xi32>, %pages: tensor<1x32xi32>, %st: tensor<2xi32>, %e: tensor<256x192xbf16>) -> tensor<256x192xbf16> attributes {bamba.kernel} {
    %r = bamba.attention ins(%q, %k, %k, %p, %pages : tensor<256x192xbf16>, tensor<?x2x16x96xbf16>, tensor<?x2x16x96xbf16>, tensor<256xi32>, tensor<1x32xi32>) starts(%st : tensor<2xi32>) outs(%e : tensor<256x192xbf16>) scale(0.5) acc(f32)
    return %r : tensor<256x192xbf16>
  }
  // CHECK: @argmax({{.*}}collective = "common/argmax"
  func.func private @argmax(%x: tensor<4x32xf32>, %e: tensor<4xi32>) -> tensor<4xi32> attributes {bamba.kernel} {
    %r = bamba.argmax ins(%x : tensor<4x32xf32>) outs(%e : tensor<4xi32>)
    return %r : tensor<4xi32>
  }
  // CHECK: @swiglu({{.*}}collective = "common/elementwise"
  func.func private @swiglu(%x: tensor<4x32xbf16>, %e: tensor<4x32xbf16>) -> tensor<4x32xbf16> attributes {bamba.kernel} {
    %r = bamba.swiglu ins(%x, %x : tensor<4x32xbf16>, tensor<4x32xbf16>) outs(%e : tensor<4x32xbf16>)
    return %r : tensor<4x32xbf16>
  }
}
