// A case for each error of the checks of attributes.
// RUN: %bambac-opt %s -split-input-file -verify-diagnostics

//===-- attributes --===//

// expected-error @+1 {{expected a positive panel size, found 0}}
func.func private @f(tensor<4x8xf32, #bamba.panel<0>>)

// -----

// expected-error @+1 {{expected a positive group that divides align, found 8 and 12}}
func.func private @f(tensor<4x8xf32, #bamba.panel<8, group = 8, align = 12>>)

// -----

// expected-error @+1 {{expected a positive group that divides align, found 0 and 8}}
func.func private @f(tensor<4x8xf32, #bamba.panel<8, group = 0, align = 8>>)

// -----

// expected-error @+1 {{expected a positive group that divides align, found 1 and -8}}
func.func private @f(tensor<4x8xf32, #bamba.panel<8, align = -8>>)

// -----

// expected-error @+1 {{expected #bamba.panel on a matrix, found a tensor of rank 1}}
func.func private @f(tensor<4xf32, #bamba.panel<16>>)

// -----

// expected-error @+1 {{expected positive batch and chunk, found 0 and 1}}
func.func private @f() attributes {bamba.entry = #bamba.entry<decode, batch = 0, chunk = 1>}

// -----

// expected-error @+1 {{expected positive batch and chunk, found 1 and -1}}
func.func private @f() attributes {bamba.entry = #bamba.entry<prefill, batch = 1, chunk = -1>}

// -----

// expected-error @+1 {{expected chunk 1 in a decode entry, found 2}}
func.func private @f() attributes {bamba.entry = #bamba.entry<decode, batch = 4, chunk = 2>}

// -----

// expected-error @+1 {{expected at most 8 pieces, a row each, in a prefill entry, found batch 9}}
func.func private @f() attributes {bamba.entry = #bamba.entry<prefill, batch = 9, chunk = 8>}

// -----

// expected-error @+1 {{expected kept of at least 0, found -1}}
func.func private @f() attributes {bamba.entry = #bamba.entry<prefill, batch = 1, chunk = 8, kept = -1>}

// -----

// expected-error @+1 {{expected a decode entry, which keeps all rows, without kept, found 2}}
func.func private @f() attributes {bamba.entry = #bamba.entry<decode, batch = 4, chunk = 1, kept = 2>}

// -----

// expected-error @+1 {{expected at most 2 pieces, a row each, in a prefill entry, found batch 3}}
func.func private @f() attributes {bamba.entry = #bamba.entry<prefill, batch = 3, chunk = 2>}

// -----

// expected-error @+1 {{expected positive limits, found 0, 4, 4, 4 and 1}}
module attributes {bamba.limits = #bamba.limits<max_batch = 0, max_context = 4, prefill_chunk = 4, page_tokens = 4>} {}

// -----

// expected-error @+1 {{expected positive limits, found 4, 0, 4, 4 and 1}}
module attributes {bamba.limits = #bamba.limits<max_batch = 4, max_context = 0, prefill_chunk = 4, page_tokens = 4>} {}

// -----

// expected-error @+1 {{expected positive limits, found 4, 4, 0, 4 and 1}}
module attributes {bamba.limits = #bamba.limits<max_batch = 4, max_context = 4, prefill_chunk = 0, page_tokens = 4>} {}

// -----

// expected-error @+1 {{expected positive limits, found 4, 4, 4, 0 and 1}}
module attributes {bamba.limits = #bamba.limits<max_batch = 4, max_context = 4, prefill_chunk = 4, page_tokens = 0>} {}

// -----

// expected-error @+1 {{expected positive limits, found 4, 4, 4, 4 and 0}}
module attributes {bamba.limits = #bamba.limits<max_batch = 4, max_context = 4, prefill_chunk = 4, page_tokens = 4, state_ring = 0>} {}

// -----

// expected-error @+1 {{expected vector_bits to be a power of two from 32, found 16}}
module attributes {bamba.target = #bamba.cpu_target<arch = "", features = "", vector_bits = 16,
                                               vector_registers = 16, l2_bytes = 1>} {}

// -----

// expected-error @+1 {{expected vector_bits to be a power of two from 32, found 96}}
module attributes {bamba.target = #bamba.cpu_target<arch = "", features = "", vector_bits = 96,
                                               vector_registers = 16, l2_bytes = 1>} {}

// -----

// expected-error @+1 {{expected positive vector_registers and l2_bytes, found 0 and 1}}
module attributes {bamba.target = #bamba.cpu_target<arch = "", features = "", vector_bits = 256,
                                               vector_registers = 0, l2_bytes = 1>} {}

// -----

// expected-error @+1 {{expected positive vector_registers and l2_bytes, found 16 and 0}}
module attributes {bamba.target = #bamba.cpu_target<arch = "", features = "", vector_bits = 256,
                                               vector_registers = 16, l2_bytes = 0>} {}

// -----

// expected-error @+1 {{expected sizes of a schedule not below zero and rows above it}}
func.func private @f() attributes {bamba.schedule = #bamba.cpu_schedule<workgroup = [-1], rows = 1, depth = 0, chunk = 0>}

// -----

// expected-error @+1 {{expected sizes of a schedule not below zero and rows above it}}
func.func private @f() attributes {bamba.schedule = #bamba.cpu_schedule<workgroup = [1], rows = 0, depth = 0, chunk = 0>}

// -----

// expected-error @+1 {{expected sizes of a schedule not below zero and rows above it}}
func.func private @f() attributes {bamba.schedule = #bamba.cpu_schedule<workgroup = [1], rows = 1, depth = -1, chunk = 0>}

// -----

// expected-error @+1 {{expected sizes of a schedule not below zero and rows above it}}
func.func private @f() attributes {bamba.schedule = #bamba.cpu_schedule<workgroup = [1], rows = 1, depth = 0, chunk = -1>}

// -----

//===-- discardable attributes: where they stand --===//

// expected-error @+1 {{expected 'bamba.target' on a module, found it on 'func.func'}}
func.func private @f() attributes {bamba.target}

// -----

// expected-error @+1 {{expected 'bamba.limits' on a module, found it on 'func.func'}}
func.func private @f() attributes {bamba.limits}

// -----

// expected-error @+1 {{expected 'bamba.config' on a module, found it on 'func.func'}}
func.func private @f() attributes {bamba.config = "{}"}

// -----

// expected-error @+1 {{expected 'bamba.entry' on a function, found it on 'builtin.module'}}
module attributes {bamba.entry} {}

// -----

// expected-error @+1 {{expected 'bamba.arena_bytes' on a function, found it on 'builtin.module'}}
module attributes {bamba.arena_bytes} {}

// -----

// expected-error @+1 {{expected 'bamba.kernel' on a function, found it on 'builtin.module'}}
module attributes {bamba.kernel} {}

// -----

// expected-error @+1 {{expected 'bamba.schedule' on a function, found it on 'builtin.module'}}
module attributes {bamba.schedule} {}

// -----

// expected-error @+1 {{expected 'bamba.cost' on a function, found it on 'builtin.module'}}
module attributes {bamba.cost} {}

// -----

// expected-error @+1 {{expected 'bamba.workgroups' on a function, found it on 'builtin.module'}}
module attributes {bamba.workgroups} {}

// -----

// expected-error @+1 {{expected 'bamba.scratch_bytes' on a function, found it on 'builtin.module'}}
module attributes {bamba.scratch_bytes} {}

// -----

// expected-error @+1 {{expected 'bamba.sources' on a global, found it on 'builtin.module'}}
module attributes {bamba.sources} {}

// -----

// expected-error @+1 {{expected 'bamba.transpose' on a global, found it on 'builtin.module'}}
module attributes {bamba.transpose} {}

// -----

// expected-error @+1 {{expected 'bamba.state' on a global, found it on 'builtin.module'}}
module attributes {bamba.state} {}

// -----

//===-- discardable attributes: what they are --===//

// expected-error @+1 {{expected 'bamba.target' to be #bamba.cpu_target or #bamba.cuda_target, found 1}}
module attributes {bamba.target = 1} {}

// -----

// expected-error @+1 {{expected 'bamba.limits' to be #bamba.limits, found 1}}
module attributes {bamba.limits = 1} {}

// -----

// expected-error @+1 {{expected 'bamba.config' to be a string, found 1}}
module attributes {bamba.config = 1} {}

// -----

// expected-error @+1 {{expected 'bamba.bos_token' to be an i32 of at least 0, found -1 : i32}}
module attributes {bamba.bos_token = -1 : i32} {}

// -----

// expected-error @+1 {{expected 'bamba.bos_token' to be an i32 of at least 0, found 1}}
module attributes {bamba.bos_token = 1} {}

// -----

// expected-error @+1 {{expected 'bamba.eos_tokens' to be an array of i32 of at least 0, found array<i32: 2, -1>}}
module attributes {bamba.eos_tokens = array<i32: 2, -1>} {}

// -----

// expected-error @+1 {{expected 'bamba.entry' to be #bamba.entry, found 1}}
func.func private @f() attributes {bamba.entry = 1}

// -----

// expected-error @+1 {{expected 'bamba.arena_bytes' to be an integer, found "1"}}
func.func private @f() attributes {bamba.arena_bytes = "1"}

// -----

// expected-error @+1 {{expected 'bamba.kernel' to be a unit, found 1}}
func.func private @f() attributes {bamba.kernel = 1}

// -----

// expected-error @+1 {{expected 'bamba.schedule' to be #bamba.cpu_schedule or #bamba.cuda_schedule, found 1}}
func.func private @f() attributes {bamba.schedule = 1}

// -----

// expected-error @+1 {{expected 'bamba.cost' to be #bamba.cost, found 1}}
func.func private @f() attributes {bamba.cost = 1}

// -----

// expected-error @+1 {{expected 'bamba.workgroups' to be an integer, found "1"}}
func.func private @f() attributes {bamba.workgroups = "1"}

// -----

// expected-error @+1 {{expected 'bamba.scratch_bytes' to be an integer, found "1"}}
func.func private @f() attributes {bamba.scratch_bytes = "1"}

// -----

// expected-error @+1 {{expected 'bamba.sources' to be a list of #bamba.source, found 1}}
ml_program.global private @g(#ml_program.extern<tensor<4xf32>>) : tensor<4xf32> {bamba.sources = 1}

// -----

// expected-error @+1 {{expected 'bamba.sources' to be a list of #bamba.source, found []}}
ml_program.global private @g(#ml_program.extern<tensor<4xf32>>) : tensor<4xf32> {bamba.sources = []}

// -----

// expected-error @+1 {{expected 'bamba.sources' to be a list of #bamba.source, found [1]}}
ml_program.global private @g(#ml_program.extern<tensor<4xf32>>) : tensor<4xf32> {bamba.sources = [1]}

// -----

// expected-error @+1 {{expected 'bamba.transpose' to be a unit, found 1}}
ml_program.global private @g(#ml_program.extern<tensor<4xf32>>) : tensor<4xf32> {bamba.transpose = 1}

// -----

// expected-error @+1 {{expected 'bamba.state' to be #bamba.state, found 1}}
ml_program.global private @g(#ml_program.extern<tensor<4xf32>>) : tensor<4xf32> {bamba.state = 1}

// -----

// expected-error @+1 {{unknown attribute 'bamba.color'}}
func.func private @f() attributes {bamba.color}

// -----

// expected-error @+1 {{expected positive shared_bytes and multiprocessors, found 1024 and -1}}
module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 1024, multiprocessors = -1>} {}

// -----

// expected-error @+1 {{expected 'fusions'}}
module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 1024, multiprocessors = 132, fission = [gate]>} {}

// -----

// expected-error @+1 {{expected field 'stages' to be an integer, found "many"}}
func.func private @f() attributes {bamba.schedule = #bamba.cuda_schedule<collective = "a", fields = {stages = "many"}>}

// -----

// expected-error @+1 {{expected 'bamba.interleave' on a global, found it on 'func.func'}}
func.func private @f() attributes {bamba.interleave}

// -----

// expected-error @+1 {{expected 'bamba.interleave' to be a unit, found 2}}
ml_program.global private @g(dense<0.0> : tensor<4xf32>) : tensor<4xf32> {bamba.interleave = 2}

// -----

// expected-error @+1 {{expected 'bamba.sources' together with 'bamba.interleave'}}
ml_program.global private @g(dense<0.0> : tensor<4xf32>) : tensor<4xf32> {bamba.interleave}

// -----

// expected-error @+1 {{expected sources of equal rows to take turns, found #bamba.source<"b", [3, 2]> and #bamba.source<"a", [5, 2]>}}
ml_program.global private @g(dense<0.0> : tensor<8x2xf32>) : tensor<8x2xf32>
    {bamba.interleave, bamba.sources = [#bamba.source<"a", [5, 2]>, #bamba.source<"b", [3, 2]>]}

// -----

// expected-error @+1 {{expected finite frequencies not below 0, found -1.000000e+00}}
module attributes {test.rotation = #bamba.rotation<[1.0, -1.0]>} {}

// -----

// expected-error @+1 {{expected finite frequencies not below 0, found INF}}
module attributes {test.rotation = #bamba.rotation<[0x7FF0000000000000]>} {}

// -----

// expected-error @+1 {{expected a finite scale greater than 0, found 0.000000e+00}}
module attributes {test.rotation = #bamba.rotation<[1.0], scale = 0.0>} {}

// -----

// expected-error @+2 {{expected an even rotary_dim of at most head_dim, found 7 and 16}}
ml_program.global private @g(dense<0.0> : tensor<64x8xf32>) : tensor<64x8xf32>
    {bamba.sources = [#bamba.source<"q", [64, 8], head_dim = 16, rotary_dim = 7>]}

// -----

// expected-error @+2 {{expected an even rotary_dim of at most head_dim, found 18 and 16}}
ml_program.global private @g(dense<0.0> : tensor<64x8xf32>) : tensor<64x8xf32>
    {bamba.sources = [#bamba.source<"q", [64, 8], head_dim = 16, rotary_dim = 18>]}

// -----

// expected-error @+2 {{expected an even rotary_dim of at most head_dim, found 8 and 0}}
ml_program.global private @g(dense<0.0> : tensor<64x8xf32>) : tensor<64x8xf32>
    {bamba.sources = [#bamba.source<"q", [64, 8], rotary_dim = 8>]}

// -----

// expected-error @+2 {{expected an even rotary_dim of at most head_dim, found -2 and 16}}
ml_program.global private @g(dense<0.0> : tensor<64x8xf32>) : tensor<64x8xf32>
    {bamba.sources = [#bamba.source<"q", [64, 8], head_dim = 16, rotary_dim = -2>]}

// -----

// expected-error @+2 {{expected a head_dim that divides the 64 rows, found 48}}
ml_program.global private @g(dense<0.0> : tensor<64x8xf32>) : tensor<64x8xf32>
    {bamba.sources = [#bamba.source<"q", [64, 8], head_dim = 48, rotary_dim = 8>]}

// -----

// expected-error @+2 {{expected a head_dim that divides the 24 rows, found 16}}
ml_program.global private @g(dense<0.0> : tensor<24x8xf32>) : tensor<24x8xf32>
    {bamba.sources = [#bamba.source<"q", [64, 8], rows = [8, 24], head_dim = 16, rotary_dim = 8>]}

// -----

// expected-error @+2 {{expected rows of the 64 that the tensor has, found 9 from row 56 on}}
ml_program.global private @g(dense<0.0> : tensor<9x8xf32>) : tensor<9x8xf32>
    {bamba.sources = [#bamba.source<"q", [64, 8], rows = [56, 9]>]}

// -----

// expected-error @+2 {{expected rows of the 64 that the tensor has, found 1 from row -1 on}}
ml_program.global private @g(dense<0.0> : tensor<1x8xf32>) : tensor<1x8xf32>
    {bamba.sources = [#bamba.source<"q", [64, 8], rows = [-1, 1]>]}

// -----

// expected-error @+2 {{expected rows of the 64 that the tensor has, found 0 from row 8 on}}
ml_program.global private @g(dense<0.0> : tensor<1x8xf32>) : tensor<1x8xf32>
    {bamba.sources = [#bamba.source<"q", [64, 8], rows = [8, 0]>]}

// -----

// expected-error @+2 {{expected rows of the 8 that the tensor has, found 9223372036854775807 from row 8 on}}
ml_program.global private @g(dense<0.0> : tensor<1xf32>) : tensor<1xf32>
    {bamba.sources = [#bamba.source<"q", [8], rows = [8, 9223372036854775807]>]}

// -----

// expected-error @+3 {{expected at least one row, found none}}
// expected-error @+2 {{failed to parse Bamba_SourceAttr parameter 'rows'}}
ml_program.global private @g(dense<0.0> : tensor<1xf32>) : tensor<1xf32>
    {bamba.sources = [#bamba.source<"q", [8], rows = [0, 0]>]}

// -----

// expected-error @+1 {{expected sources of equal rows to take turns, found #bamba.source<"a", [8, 2], rows = [5, 3]> and #bamba.source<"a", [8, 2], rows = [0, 5]>}}
ml_program.global private @g(dense<0.0> : tensor<8x2xf32>) : tensor<8x2xf32>
    {bamba.interleave, bamba.sources = [#bamba.source<"a", [8, 2], rows = [0, 5]>, #bamba.source<"a", [8, 2], rows = [5, 3]>]}

// -----

// expected-error @+1 {{expected 'bamba.input' on argument 0, found 'bamba.output'}}
func.func private @f(tensor<4xi32> {bamba.output = "tokens"})

// -----

// expected-error @+1 {{expected 'bamba.input' on argument 1 to be a string, found 3}}
func.func private @f(tensor<4xi32>, tensor<4xi32> {bamba.input = 3})

// -----

// expected-error @+1 {{expected 'bamba.output' on result 0, found 'bamba.input'}}
func.func private @f() -> (tensor<4xi32> {bamba.input = "tokens"})

// -----

// expected-error @+1 {{expected 'bamba.output' on result 0 to be a string, found unit}}
func.func private @f() -> (tensor<4xi32> {bamba.output})

// -----

// expected-error @+1 {{expected arch to start with 'sm_', found "gfx90a"}}
module attributes {bamba.target = #bamba.cuda_target<arch = "gfx90a", shared_bytes = 1024, multiprocessors = 1>} {}

// -----

// expected-error @+1 {{expected 'bamba.fallbacks' to be a list of #bamba.cuda_schedule, found [1]}}
func.func private @f() attributes {bamba.fallbacks = [1]}
