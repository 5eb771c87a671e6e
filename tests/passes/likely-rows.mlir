// RUN: %bambac-opt %s --bamba-select-schedules | FileCheck %s

// A chunk that is not the longest has any number of rows that the next shorter one has no room for: tiles are as wide as
// leaves few multiprocessors idle, 128 columns for 512 rows, 160 for 640, 192 for 768 and 256 for 1,024.
module attributes {bamba.target = #bamba.cuda_target<arch = "sm_90a", shared_bytes = 232448, multiprocessors = 132, fusions = []>,
                   bamba.limits = #bamba.limits<max_batch = 1, max_context = 8192, prefill_chunk = 4096, page_tokens = 64>} {
  // CHECK: @some_rows({{.*}}bamba.schedule = #bamba.cuda_schedule<collective = "wgmma/linear_large", fields = {least_columns = 128 : i64, {{.*}}tile_columns = 256 : i64, tile_rows = 128 : i64
  func.func private @some_rows(%rows: tensor<1xi32> {bamba.rows}, %x: tensor<1024x8192xbf16>, %w: tensor<4096x8192xbf16>,
                               %e: tensor<1024x4096xf32>) -> tensor<1024x4096xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<1024x8192xbf16>, tensor<4096x8192xbf16>) outs(%e : tensor<1024x4096xf32>) acc(f32)
    return %r : tensor<1024x4096xf32>
  }
  // Of the rows whose logits are kept there are few: tiles of 128 rows, and of as many columns as they can have.
  // CHECK: @kept_rows({{.*}}bamba.schedule = #bamba.cuda_schedule<collective = "wgmma/linear_large", fields = {{.*}}tile_columns = 256 : i64, tile_rows = 128 : i64
  func.func private @kept_rows(%rows: tensor<1xi32> {bamba.rows}, %x: tensor<512x4096xbf16>, %w: tensor<128256x4096xbf16>,
                               %e: tensor<512x128256xf32>) -> tensor<512x128256xf32> attributes {bamba.kernel, bamba.may_be_empty} {
    %r = bamba.linear ins(%x, %w : tensor<512x4096xbf16>, tensor<128256x4096xbf16>) outs(%e : tensor<512x128256xf32>) acc(f32)
    return %r : tensor<512x128256xf32>
  }
  // CHECK: @all_rows({{.*}}bamba.schedule = #bamba.cuda_schedule<collective = "wgmma/linear_large", fields = {{.*}}tile_columns = 256 : i64, tile_rows = 128 : i64
  func.func private @all_rows(%x: tensor<1024x8192xbf16>, %w: tensor<4096x8192xbf16>, %e: tensor<1024x4096xf32>)
      -> tensor<1024x4096xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<1024x8192xbf16>, tensor<4096x8192xbf16>) outs(%e : tensor<1024x4096xf32>) acc(f32)
    return %r : tensor<1024x4096xf32>
  }
  // The longest chunk is full as likely as not, and its last tiles are split where few would be left for a round.
  // CHECK: @longest({{.*}}bamba.schedule = #bamba.cuda_schedule<collective = "wgmma/linear_large", fields = {least_columns = 256 : i64, {{.*}}tile_columns = 256 : i64, tile_rows = 128 : i64
  func.func private @longest(%rows: tensor<1xi32> {bamba.rows}, %x: tensor<4096x8192xbf16>, %w: tensor<4096x8192xbf16>,
                             %e: tensor<4096x4096xf32>) -> tensor<4096x4096xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<4096x8192xbf16>, tensor<4096x8192xbf16>) outs(%e : tensor<4096x4096xf32>) acc(f32)
    return %r : tensor<4096x4096xf32>
  }
  // So many columns leave few idle with one width.
  // CHECK: @many_columns({{.*}}bamba.schedule = #bamba.cuda_schedule<collective = "wgmma/linear_large", fields = {least_columns = 256 : i64, {{.*}}tile_columns = 256 : i64, tile_rows = 128 : i64
  func.func private @many_columns(%rows: tensor<1xi32> {bamba.rows}, %x: tensor<4096x4096xbf16>, %w: tensor<28672x4096xbf16>,
                                  %e: tensor<4096x28672xf32>) -> tensor<4096x28672xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<4096x4096xbf16>, tensor<28672x4096xbf16>) outs(%e : tensor<4096x28672xf32>) acc(f32)
    return %r : tensor<4096x28672xf32>
  }
  // Two tiles of rows where both have some: of decoded sequences more than half are there, of a prompt's tokens a quarter.
  // CHECK: @decoded({{.*}}collective = "wgmma/linear_middle", fields = {split = 2 : i64, {{.*}}tile_columns = 128 : i64, {{.*}}tile_rows = 128 : i64
  func.func private @decoded(%rows: tensor<1xi32> {bamba.rows}, %x: tensor<256x8192xf8E4M3FN>, %w: tensor<4096x8192xf8E4M3FN>,
      %xs: tensor<256x1xf32>, %ws: tensor<1x4096xf32>, %e: tensor<256x4096xf32>) -> tensor<256x4096xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<256x8192xf8E4M3FN>, tensor<4096x8192xf8E4M3FN>) scales(%xs, %ws : tensor<256x1xf32>, tensor<1x4096xf32>) group(0) outs(%e : tensor<256x4096xf32>) acc(f32)
    return %r : tensor<256x4096xf32>
  }
  // CHECK: @shared({{.*}}collective = "wgmma/linear_middle", fields = {split = 2 : i64, {{.*}}tile_columns = 64 : i64, {{.*}}tile_rows = 256 : i64
  func.func private @shared(%rows: tensor<1xi32> {bamba.rows}, %x: tensor<256x8192xf8E4M3FN>, %w: tensor<4096x8192xf8E4M3FN>,
      %xs: tensor<256x1xf32>, %ws: tensor<1x4096xf32>, %e: tensor<256x4096xf32>) -> tensor<256x4096xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<256x8192xf8E4M3FN>, tensor<4096x8192xf8E4M3FN>) scales(%xs, %ws : tensor<256x1xf32>, tensor<1x4096xf32>) group(0) outs(%e : tensor<256x4096xf32>) acc(f32)
    return %r : tensor<256x4096xf32>
  }
  func.func @decode(%rows: tensor<1xi32>, %x: tensor<256x8192xf8E4M3FN>, %w: tensor<4096x8192xf8E4M3FN>, %xs: tensor<256x1xf32>, %ws: tensor<1x4096xf32>)
      -> tensor<256x4096xf32> attributes {bamba.entry = #bamba.entry<decode, batch = 256, chunk = 1>} {
    %e = tensor.empty() : tensor<256x4096xf32>
    %r = bamba.launch @decoded ins(%rows, %x, %w, %xs, %ws : tensor<1xi32>, tensor<256x8192xf8E4M3FN>, tensor<4096x8192xf8E4M3FN>, tensor<256x1xf32>, tensor<1x4096xf32>) outs(%e : tensor<256x4096xf32>) -> tensor<256x4096xf32>
    return %r : tensor<256x4096xf32>
  }
  func.func @decode_shared(%rows: tensor<1xi32>, %x: tensor<256x8192xf8E4M3FN>, %w: tensor<4096x8192xf8E4M3FN>, %xs: tensor<256x1xf32>, %ws: tensor<1x4096xf32>)
      -> tensor<256x4096xf32> attributes {bamba.entry = #bamba.entry<decode, batch = 256, chunk = 1>} {
    %e = tensor.empty() : tensor<256x4096xf32>
    %r = bamba.launch @shared ins(%rows, %x, %w, %xs, %ws : tensor<1xi32>, tensor<256x8192xf8E4M3FN>, tensor<4096x8192xf8E4M3FN>, tensor<256x1xf32>, tensor<1x4096xf32>) outs(%e : tensor<256x4096xf32>) -> tensor<256x4096xf32>
    return %r : tensor<256x4096xf32>
  }
  func.func @prefill(%rows: tensor<1xi32>, %x: tensor<256x8192xf8E4M3FN>, %w: tensor<4096x8192xf8E4M3FN>, %xs: tensor<256x1xf32>, %ws: tensor<1x4096xf32>)
      -> tensor<256x4096xf32> attributes {bamba.entry = #bamba.entry<prefill, batch = 1, chunk = 256>} {
    %e = tensor.empty() : tensor<256x4096xf32>
    %r = bamba.launch @shared ins(%rows, %x, %w, %xs, %ws : tensor<1xi32>, tensor<256x8192xf8E4M3FN>, tensor<4096x8192xf8E4M3FN>, tensor<256x1xf32>, tensor<1x4096xf32>) outs(%e : tensor<256x4096xf32>) -> tensor<256x4096xf32>
    return %r : tensor<256x4096xf32>
  }
}
