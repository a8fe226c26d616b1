# Writes the reference machine's profile, byte for byte:
#
#   awk -v file=cpu -f generate.awk > cpu_profile.txt
#   awk -v file=gpu -f generate.awk > gpu_profile.txt
#
# No row was measured. Each is  max(flops / C, bytes / W)  with the rooflines and efficiencies of
# the tables below; README.md gives the source of each figure and how close predictions come.

function smaller(a, b) { return a < b ? a : b }

# "name=bits:cpu:gpu": bits per weight, and the compute rate as a share of the family's.
# Shares: README.md, "Shares of the quants".
function add_quant(name, bits, cpu_share, gpu_share) {
    quants[++n_quants] = name
    bits_of[name] = bits
    share_of["cpu", name] = cpu_share
    share_of["gpu", name] = gpu_share
}

function set_quants() {
    add_quant("f32",   32,     0.70, 0.25)
    add_quant("f16",   16,     0.70, 0.55)
    add_quant("bf16",  16,     0.70, 0.55)
    add_quant("q8_0",  8.5,    1.00, 1.00)
    add_quant("q6_K",  6.5625, 0.80, 0.80)
    add_quant("q5_K",  5.5,    0.85, 0.90)
    add_quant("q4_K",  4.5,    1.00, 1.00)
    add_quant("q4_0",  4.5,    1.00, 1.00)
    add_quant("mxfp4", 4.25,   1.00, 1.00)
    add_quant("q3_K",  3.4375, 0.75, 0.80)
    add_quant("q2_K",  2.625,  0.75, 0.75)
}

# Rates in GFLOP/s and GB/s. README.md, "Efficiencies".
function set_cpu() {
    threads = 8
    roof = 45.7
    link_alone = 45.0
    link_loaded = 29.5
    efficiency = 0.729
    read_share = 0.97
    vector_kernels = 0
    dense_peak = 580;  dense_half = 0
    expert_peak = 410; expert_half = 0
    attention_peak = 150; attention_half = 2
    n_batches = split("1 4 16 64 512", batches)
}

function set_gpu() {
    roof = 806.4
    read_share = 0.95
    vector_kernels = 10000
    dense_peak = 120000; dense_half = 200
    expert_peak = 120000; expert_half = 420
    attention_peak = 52000; attention_half = 48
    n_batches = split("1 4 16 64 512 2048 8192 16384", batches)
}

# A rate that grows with the rows and saturates, but for few rows never falls below the vector
# kernels' rate.
function saturating(peak, half, rows,    rate) {
    rate = peak * rows / (rows + half)
    return rate > vector_kernels ? rate : vector_kernels
}

# Keeps one row; its rate is what compute and memory allow.
function keep(op, quant, flops, bytes, compute, shape,    ai, rate) {
    ai = flops / bytes
    rate = smaller(compute, roof * read_share * ai)
    n_rows++
    row_op[n_rows] = op
    row_quant[n_rows] = quant
    row_ai[n_rows] = ai
    row_rate[n_rows] = rate
    row_shape[n_rows] = shape
    if (rate > best[op, quant]) best[op, quant] = rate
}

function dense(quant, n, k, batch,    bytes, compute) {
    bytes = n * k * bits_of[quant] / 8 + 4 * (n + k) * batch
    compute = saturating(dense_peak * share_of[file, quant], dense_half, batch)
    keep("MUL_MAT", quant, 2 * n * k * batch, bytes, compute, n " " k " " batch " 0 0 0 0 0")
}

# Routed round robin, so that used*batch routes touch that many experts until all are.
function experts(quant, n, k, total, used, batch,    routes, distinct, bytes, compute) {
    routes = used * batch
    distinct = smaller(total, routes)
    bytes = n * k * bits_of[quant] / 8 * distinct + 4 * (n + k) * routes
    compute = saturating(expert_peak * share_of[file, quant], expert_half, routes / distinct)
    keep("MUL_MAT_ID", quant, 2 * n * k * routes, bytes, compute,
         n " " k " " batch " " used " " total " 0 0 0")
}

function attention(name, heads, kv_heads, dim, cells, tokens,    flops, bytes, compute) {
    flops = 4 * tokens * dim * cells * heads
    bytes = 8 * tokens * dim * heads + 4 * dim * cells * kv_heads
    compute = saturating(attention_peak, attention_half, tokens)
    keep("FLASH_ATTN_" name, "f16", flops, bytes, compute,
         "0 0 0 " tokens " " cells " " kv_heads " " dim " 0")
}

function make_rows(    q, b, c, cells, n_cells) {
    for (q = 1; q <= n_quants; q++) {
        for (b = 1; b <= n_batches; b++) {
            dense(quants[q], 2048, 2048, batches[b])
            dense(quants[q], 14336, 4096, batches[b])
        }
    }
    for (q = 1; q <= n_quants; q++) {
        for (b = 1; b <= n_batches; b++) {
            experts(quants[q], 512, 2048, 256, 8, batches[b])
            experts(quants[q], 2880, 2880, 32, 4, batches[b])
        }
    }
    n_cells = split("1024 4096 16384 65536", cells)
    for (c = 1; c <= n_cells; c++) {
        for (b = 1; b <= n_batches; b++) {
            attention("MHA", 32, 32, 128, cells[c], batches[b])
            attention("GQA-8", 32, 8, 128, cells[c], batches[b])
        }
    }
}

function list(values, n,    i, text) {
    for (i = 1; i <= n; i++) text = text (i > 1 ? "," : "") values[i]
    return text
}

function machine_lines() {
    print "# pshard cpu_name=AMD Ryzen 7 7800X3D"
    print "# pshard gpu_name=NVIDIA GeForce RTX 5070 Ti"
    print "# pshard os_name=Windows"
    print "# pshard source=profiles/reference/README.md: published figures of one machine," \
          " rows derived by generate.awk"
    print "# pshard provenance=derived"
}

function cpu_header() {
    printf "# Concurrent Profiling (threads=%d, batch_sizes=[%s])\n", threads, list(batches, n_batches)
    print "# Measured Bandwidths Per Thread Count:"
    printf "#   Threads=%d: DRAM_BW=%.1f GB/s, PCIe_Standalone=%.1f GB/s, ", threads, roof, link_alone
    printf "PCIe_Concurrent=%.1f GB/s (CPU_Eff=%.1f%%)\n", link_loaded, efficiency * 100
    machine_lines()
    print "# pshard cpu.vector_gflops=60.0"
    print "# pshard cpu.launch_us=2.0"
    print "# pshard link.pageable_gb_per_s=13.5"
    print "# pshard link.page_lock_ceiling_gb=66.6"
    print "# pshard link.copy_setup_us=3.1"
    print "# pshard link.engine_switch_us=27.0"
    print "# pshard link.sliced=0.5 23.3"
    print "# pshard link.sliced=2.0 29.6"
    print "# pshard link.sliced=8.0 30.0"
    print "# pshard link.sliced=32.0 29.4"
    print "# pshard rows=" n_rows
    print "# op_name quant threads AI(FLOP/byte) BW(GB/s) GFLOP/s Ridge(FLOP/byte) " \
          "Concurrent_GFLOP/s PCIe_Concurrent_BW N K B n_tokens ctx_len n_heads head_dim n_elements"
}

function gpu_header() {
    printf "# GPU Profiling (backend=CUDA0, batch_sizes=[%s], GPU_Memory_BW=%.1f GB/s, ", \
           list(batches, n_batches), roof
    printf "GPU_Peak_Compute=%.1f GFLOP/s)\n", dense_peak
    machine_lines()
    print "# pshard gpu.vector_gflops=4000.0"
    print "# pshard gpu.memory_mib=16302.0"
    print "# pshard gpu.overhead_mib=470.0"
    print "# pshard gpu.launch_us=1.7"
    print "# pshard gpu.scan_step_us=1.4"
    print "# pshard rows=" n_rows
    print "# op_name quant AI(FLOP/byte) BW(GB/s) GFLOP/s Ridge(FLOP/byte) N K B n_tokens ctx_len " \
          "n_heads head_dim n_elements"
}

function print_rows(    i, ridge) {
    for (i = 1; i <= n_rows; i++) {
        ridge = best[row_op[i], row_quant[i]] / roof
        printf "%s %s ", row_op[i], row_quant[i]
        if (file == "cpu") printf "%d ", threads
        printf "%.4f %.2f %.2f %.4f ", row_ai[i], row_rate[i] / row_ai[i], row_rate[i], ridge
        if (file == "cpu") printf "%.2f %.2f ", row_rate[i] * efficiency, link_loaded
        print row_shape[i]
    }
}

BEGIN {
    set_quants()
    if (file == "cpu") { set_cpu(); make_rows(); cpu_header() }
    else if (file == "gpu") { set_gpu(); make_rows(); gpu_header() }
    else { print "generate.awk: -v file=cpu or -v file=gpu" > "/dev/stderr"; exit 2 }
    print_rows()
}
