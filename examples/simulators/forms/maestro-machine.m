num_pes: @pes@
l1_size_cstr: @l1@
l2_size_cstr: @l2@
noc_bw_cstr: @noc_bandwidth/1000000000@
offchip_bw_cstr: @io_bandwidth/1000000000@
