// RUN: %bambac-opt %s --bamba-select-schedules | FileCheck %s

// Several widths of tiles take long to compile: only a linear whose shape is launched often has them, or one that shares
// its code with such a linear, since nothing but its depth is other.
module attributes {bamba.target = #bamba.cuda_target<arch = "sm_90a", shared_bytes = 232448, multiprocessors = 132, fusions = []>,
                   bamba.limits = #bamba.limits<max_batch = 1, max_context = 8192, prefill_chunk = 4096, page_tokens = 64>} {
  func.func @step(%rows: tensor<1xi32>, %x: tensor<1024x8192xbf16>, %y: tensor<1024x4096xbf16>, %often_w: tensor<4096x8192xbf16>,
                  %often_e: tensor<1024x4096xf32>, %shared_w: tensor<4096x4096xbf16>, %shared_e: tensor<1024x4096xf32>,
                  %rare_w: tensor<6144x8192xbf16>, %rare_e: tensor<1024x6144xf32>) {
    %0 = bamba.launch @often ins(%rows, %x, %often_w : tensor<1xi32>, tensor<1024x8192xbf16>, tensor<4096x8192xbf16>) outs(%often_e : tensor<1024x4096xf32>) -> tensor<1024x4096xf32>
    %1 = bamba.launch @often ins(%rows, %x, %often_w : tensor<1xi32>, tensor<1024x8192xbf16>, tensor<4096x8192xbf16>) outs(%often_e : tensor<1024x4096xf32>) -> tensor<1024x4096xf32>
    %2 = bamba.launch @often ins(%rows, %x, %often_w : tensor<1xi32>, tensor<1024x8192xbf16>, tensor<4096x8192xbf16>) outs(%often_e : tensor<1024x4096xf32>) -> tensor<1024x4096xf32>
    %3 = bamba.launch @often ins(%rows, %x, %often_w : tensor<1xi32>, tensor<1024x8192xbf16>, tensor<4096x8192xbf16>) outs(%often_e : tensor<1024x4096xf32>) -> tensor<1024x4096xf32>
    %4 = bamba.launch @often ins(%rows, %x, %often_w : tensor<1xi32>, tensor<1024x8192xbf16>, tensor<4096x8192xbf16>) outs(%often_e : tensor<1024x4096xf32>) -> tensor<1024x4096xf32>
    %5 = bamba.launch @often ins(%rows, %x, %often_w : tensor<1xi32>, tensor<1024x8192xbf16>, tensor<4096x8192xbf16>) outs(%often_e : tensor<1024x4096xf32>) -> tensor<1024x4096xf32>
    %6 = bamba.launch @often ins(%rows, %x, %often_w : tensor<1xi32>, tensor<1024x8192xbf16>, tensor<4096x8192xbf16>) outs(%often_e : tensor<1024x4096xf32>) -> tensor<1024x4096xf32>
    %7 = bamba.launch @often ins(%rows, %x, %often_w : tensor<1xi32>, tensor<1024x8192xbf16>, tensor<4096x8192xbf16>) outs(%often_e : tensor<1024x4096xf32>) -> tensor<1024x4096xf32>
    %8 = bamba.launch @shared ins(%rows, %y, %shared_w : tensor<1xi32>, tensor<1024x4096xbf16>, tensor<4096x4096xbf16>) outs(%shared_e : tensor<1024x4096xf32>) -> tensor<1024x4096xf32>
    %9 = bamba.launch @rare ins(%rows, %x, %rare_w : tensor<1xi32>, tensor<1024x8192xbf16>, tensor<6144x8192xbf16>) outs(%rare_e : tensor<1024x6144xf32>) -> tensor<1024x6144xf32>
    return
  }
  // CHECK: @often({{.*}}fields = {least_columns = 128 : i64, {{.*}}tile_columns = 256 : i64
  func.func private @often(%rows: tensor<1xi32> {bamba.rows}, %x: tensor<1024x8192xbf16>, %w: tensor<4096x8192xbf16>,
                           %e: tensor<1024x4096xf32>) -> tensor<1024x4096xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<1024x8192xbf16>, tensor<4096x8192xbf16>) outs(%e : tensor<1024x4096xf32>) acc(f32)
    return %r : tensor<1024x4096xf32>
  }
  // CHECK: @shared({{.*}}fields = {least_columns = 128 : i64, {{.*}}tile_columns = 256 : i64
  func.func private @shared(%rows: tensor<1xi32> {bamba.rows}, %x: tensor<1024x4096xbf16>, %w: tensor<4096x4096xbf16>,
                           %e: tensor<1024x4096xf32>) -> tensor<1024x4096xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<1024x4096xbf16>, tensor<4096x4096xbf16>) outs(%e : tensor<1024x4096xf32>) acc(f32)
    return %r : tensor<1024x4096xf32>
  }
  // CHECK: @rare({{.*}}fields = {least_columns = 256 : i64, {{.*}}tile_columns = 256 : i64
  func.func private @rare(%rows: tensor<1xi32> {bamba.rows}, %x: tensor<1024x8192xbf16>, %w: tensor<6144x8192xbf16>,
                           %e: tensor<1024x6144xf32>) -> tensor<1024x6144xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<1024x8192xbf16>, tensor<6144x8192xbf16>) outs(%e : tensor<1024x6144xf32>) acc(f32)
    return %r : tensor<1024x6144xf32>
  }
}
