"""What test_formal_shells.py proves: benches with parameters, and the faults that break each property."""

from prove import Change, Memory, Question


def queue(width: int, bits: int) -> Question:
    memory = Memory("u.memory", 1 << bits, width)
    return Question("prove_queue", ("sbnn_queue",), {"WIDTH": width, "BITS": bits}, memory)


def byte_fifo(width: int, depth: int) -> Question:
    memory = Memory("u.memory", depth, width)
    parameters = {"WIDTH": width, "DEPTH": depth}
    return Question("prove_byte_fifo", ("sbnn_byte_fifo",), parameters, memory)


# In one run of the solver these take twice as long: first what is under way on the bus, then what is left.
READ_BUS = (
    *("p_hold", "p_stop", "p_most", "p_push", "p_room", "p_failed", "p_drained"),
    *("i_held", "i_bursts", "i_promised", "i_known", "i_ends"),
)
WRITE_BUS = (
    *("p_hold", "p_stop", "p_most", "p_send", "p_stable"),
    *("p_last", "p_pop", "p_failed", "p_drained"),
    *("i_held", "i_bursts", "i_promised", "i_known", "i_places", "i_sent", "i_ends"),
)
LEFT = ("i_begun", "i_due", "p_finished")


def dma_read(beats: int, bits: int, outstanding: int) -> Question:
    parameters = {"IMAGE_BEATS": beats, "QUEUE_BITS": bits, "OUTSTANDING": outstanding}
    modules = ("sbnn_dma_burst", "sbnn_dma_read")
    return Question("prove_dma_read", modules, parameters, layers=(READ_BUS, LEFT))


def dma_write(beats: int, bits: int, outstanding: int) -> Question:
    parameters = {"RESULT_BEATS": beats, "QUEUE_BITS": bits, "OUTSTANDING": outstanding}
    modules = ("sbnn_fifo", "sbnn_dma_burst", "sbnn_dma_write")
    memory = Memory("u.u_lengths.ram", outstanding, 4)
    return Question("prove_dma_write", modules, parameters, memory, (WRITE_BUS, LEFT))


def axi_slave(id_bits: int, len_bits: int) -> Question:
    parameters = {"ID_BITS": id_bits, "LEN_BITS": len_bits}
    return Question("prove_axi_slave", ("sbnn_axi_burst", "sbnn_axi_slave"), parameters)


def batch(beats: int, in_flight: int) -> Question:
    parameters = {"IMAGE_BEATS": beats, "IN_FLIGHT": in_flight}
    memory = Memory("u.u_flight.ram", in_flight, 2)
    return Question("prove_batch", ("sbnn_fifo", "sbnn_batch"), parameters, memory)


def registers(own_dma: int, bits: int) -> Question:
    parameters = {"OWN_DMA": own_dma, "WORDS_BITS": bits}
    return Question("prove_zynq_registers", ("sbnn_zynq_registers",), parameters)


def uart_tx(num: int, den: int) -> Question:
    return Question("prove_uart_tx", ("sbnn_uart_tx",), {"BIT_NUM": num, "BIT_DEN": den})


def uart_rx(num: int, den: int, send_num: int, send_den: int) -> Question:
    parameters = {"BIT_NUM": num, "BIT_DEN": den, "SEND_NUM": send_num, "SEND_DEN": send_den}
    return Question("prove_uart_rx", ("sbnn_uart_rx",), parameters)


def frame_request(image: int, beat: int, most: int, gap: int) -> Question:
    parameters = {"IMAGE_BYTES": image, "BEAT_BYTES": beat, "MAX_IMAGES": most, "GAP_CLOCKS": gap}
    return Question("prove_frame_request", ("sbnn_crc32", "sbnn_frame_request"), parameters)


def frame_answer(result: int, beat: int, info: int) -> Question:
    parameters = {"RESULT_BYTES": result, "BEAT_BYTES": beat, "INFO_BYTES": info}
    return Question("prove_frame_answer", ("sbnn_crc32", "sbnn_frame_answer"), parameters)


CRC32 = Question("prove_crc32", ("sbnn_crc32",))
FAST = [
    queue(2, 2),
    byte_fifo(2, 4),
    axi_slave(2, 4),
    batch(3, 4),
    registers(1, 3),
    uart_tx(25, 3),
    uart_rx(25, 3, 25, 3),
    CRC32,
    frame_answer(3, 2, 4),
    frame_request(5, 2, 3, 6),
]
MORE = [
    *(queue(*values) for values in [(1, 1), (65, 3), (9, 5)]),
    *(byte_fifo(*values) for values in [(8, 2), (9, 8), (9, 32)]),
    *(dma_read(*values) for values in [(4, 5, 2), (13, 7, 8)]),
    dma_write(4, 5, 2),
    *(axi_slave(*values) for values in [(12, 4), (1, 8)]),
    *(batch(*values) for values in [(1, 2), (13, 4)]),
    *(registers(*values) for values in [(0, 9), (1, 9)]),
    *(uart_tx(*values) for values in [(4, 1), (13, 3)]),
    *(frame_answer(*values) for values in [(1, 1, 12), (22, 8, 32)]),
    *(frame_request(*values) for values in [(1, 1, 1, 2), (8, 8, 4, 5), (784, 8, 64, 2500)]),
    # A sender of bits 4 % shorter or longer is still understood.
    *(uart_rx(*values) for values in [(4, 1, 4, 1), (25, 3, 8, 1), (25, 3, 26, 3)]),
]

REMAINDER = "(images_q == '0 && known_q != '0)"
COUNTED = "bursts_q <= bursts_q + COUNT_BITS'(issue)"
FAULTS = [
    (
        queue(2, 2),
        {
            "p_valid": Change("sbnn_queue", "valid = level_q != '0", "valid = level_q > 1"),
            "p_level": Change("sbnn_queue", "level = level_q;", "level = level_q + push;"),
            "p_order": Change("sbnn_queue", "memory[write_q] <=", "memory[read_q] <="),
            "p_hold": Change(
                "sbnn_queue",
                "out_data = memory[read_q]",
                "out_data = push ? in_data : memory[read_q]",
            ),
        },
    ),
    (
        byte_fifo(2, 4),
        {
            "p_extra": Change("sbnn_byte_fifo", "read = write_q != read_q &&", "read ="),
            "p_room": Change(
                "sbnn_byte_fifo", "in_ready = write_q", "in_ready = !valid_q && write_q"
            ),
            "p_most": Change("sbnn_byte_fifo", "in_ready =", "in_ready = 1'b1 ||"),
            "p_order": Change(
                "sbnn_byte_fifo",
                "memory[write_q[ADDRESS_BITS-1:0]]",
                "memory[read_q[ADDRESS_BITS-1:0]]",
            ),
            "p_present": Change("sbnn_byte_fifo", "(!word_valid_q || move)", "!word_valid_q"),
            "p_hold": Change(
                "sbnn_byte_fifo", "out_data = data_q", "out_data = in_valid ? in_data : data_q"
            ),
        },
    ),
    (
        axi_slave(2, 4),
        {
            "p_take": Change("sbnn_axi_slave", "write_active && !bvalid_q", "write_active"),
            "p_write": Change("sbnn_axi_slave", " valid_q <= beat;", " valid_q <= beat && legal;"),
            "p_data": Change("sbnn_axi_slave", "s_axi_wstrb == 4'hF && ", ""),
            "p_word": Change("sbnn_axi_burst", "(word_q + 10'd1) & wrap_mask", "(word_q + 10'd1)"),
            "p_answer": Change("sbnn_axi_slave", "(beat && s_axi_wlast)", "(beat && write_last)"),
            "p_id": Change("sbnn_axi_slave", "bid_q <= write_id", "bid_q <= s_axi_awid"),
            "p_hold": Change(
                "sbnn_axi_slave", "s_axi_bid = bid_q", "s_axi_bid = s_axi_bready ? bid_q : write_id"
            ),
            "p_read": Change("sbnn_axi_slave", "read_active && !rvalid_q", "read_active"),
            "p_legal": Change("sbnn_axi_burst", "if (burst_q != FIXED) off_q", "off_q"),
            "p_give": Change("sbnn_axi_slave", "else if (s_axi_rready) begin", "else begin"),
            "p_beat": Change(
                "sbnn_axi_slave", "rlast_q <= read_last", "rlast_q <= read_last && legal"
            ),
            "p_stable": Change(
                "sbnn_axi_slave", "rdata = rdata_q", "rdata = s_axi_rready ? rdata_q : read_data"
            ),
        },
    ),
    (
        batch(2, 2),
        {
            "p_pass": Change("sbnn_batch", "core_valid = in_valid &&", "core_valid = in_valid ||"),
            "p_room": Change(
                "sbnn_batch",
                "in_ready = core_ready && !((whole || last) && full)",
                "in_ready = core_ready && !full",
            ),
            "p_steady": Change(
                "sbnn_batch", "core_valid = in_valid", "core_valid = in_valid && out_ready"
            ),
            "p_short": Change("sbnn_batch", "beat && last && !whole", "beat && last"),
            "p_zero": Change("sbnn_batch", "&& entry_short", "&& !entry_short"),
            "p_last": Change("sbnn_batch", "(result_last && entry_last)", "result_last"),
            "p_extra": Change(
                "sbnn_batch", "out_valid = out_zero || result_valid", "out_valid = 1'b1"
            ),
            "p_result": Change(
                "sbnn_batch", "result_ready = out_ready && !out_zero", "result_ready = out_ready"
            ),
            "p_hold": Change(
                "sbnn_batch", "out_last = out_zero ||", "out_last = out_zero || in_valid ||"
            ),
            "p_busy": Change("sbnn_batch", "flight_q != '0 || beat_q != '0", "flight_q != '0"),
            "p_images": Change("sbnn_batch", "if (beat && whole) images", "if (ends) images"),
            "p_stalls": Change("sbnn_batch", "if (out_valid && !out_ready)", "if (!out_ready)"),
            "p_cycles": Change("sbnn_batch", "q <= timer_q + 32'd1", "q <= timer_q"),
        },
    ),
    (
        registers(1, 3),
        {
            "p_read": Change(
                "sbnn_zynq_registers", "read_data = images_out", "read_data = images_in"
            ),
            "p_window": Change("sbnn_zynq_registers", "out_window && may_pop ?", "out_window ?"),
            "p_pop": Change("sbnn_zynq_registers", "may_pop = !source_q &&", "may_pop ="),
            "p_push": Change("sbnn_zynq_registers", "!in_reset && in_space != '0", "!in_reset"),
            "p_command": Change("sbnn_zynq_registers", "clear = control &&", "clear ="),
            "p_source": Change("sbnn_zynq_registers", "(write_data[5] || (", "(("),
            "p_start": Change("sbnn_zynq_registers", "|| dma_running || in_reset", "|| in_reset"),
            "p_job": Change(
                "sbnn_zynq_registers", "= target_address_q[31:3]", "= source_address_q[31:3]"
            ),
            "p_error": Change(
                "sbnn_zynq_registers", "error = errors_q !=", "error = errors_q[6:1] !="
            ),
        },
    ),
    (
        uart_tx(4, 1),
        {
            "p_ready": Change("sbnn_uart_tx", "left_q <= 4'd10", "left_q <= 4'd1"),
            "p_idle": Change("sbnn_uart_tx", "bits_q <= '1", "bits_q <= '0"),
            "p_bit": Change("sbnn_uart_tx", "phase_sum >= WRAP", "phase_sum > WRAP"),
        },
    ),
    (
        CRC32,
        {
            "p_division": Change(
                "sbnn_crc32", "{1'b0, crc_next[31:1]}", "{crc[0], crc_next[31:1]}"
            ),
            "p_residue": Change("sbnn_crc32", "32'hEDB88320", "32'hEDB88321"),
        },
    ),
]
# Faults that take long to find: after a whole frame, in a queue that has to fill.
MORE_FAULTS = [
    (
        frame_request(5, 2, 3, 6),
        {
            "p_wait": Change(
                "sbnn_frame_request",
                "begin\n        index_q <= '0;",
                "begin\n        status_q <= OK;",
            ),
            "p_kept": Change("sbnn_frame_request", "CLOSE: begin", "CLOSE: begin header_q <= '0;"),
            "p_images": Change("sbnn_frame_request", "if (last_beat) images_q", "images_q"),
            "p_closed": Change("sbnn_frame_request", "if (judge_q && status_q", "if (status_q"),
            "p_end": Change("sbnn_frame_request", "CLOSE && !valid_q &&", "CLOSE &&"),
            "p_last": Change("sbnn_frame_request", "<= last_beat;", "<= 1'b0;"),
            "p_data": Change("sbnn_frame_request", "data_q[8*lane_q+:8]", "data_q[7:0]"),
            "p_part": Change("sbnn_frame_request", "<= beat_q != '0;", "<= 1'b1;"),
            "p_valid": Change("sbnn_frame_request", "(valid_q && m_axis_tready)", "(valid_q)"),
            "p_whole": Change(
                "sbnn_frame_request", "if (begun_q + 16'd1 == open_count) state_q", "state_q"
            ),
            "p_hold": Change("sbnn_frame_request", "PAYLOAD && !valid_q)", "PAYLOAD)"),
            "p_progress": Change("sbnn_frame_request", "gap = in_ready &&", "gap = 1'b0 &&"),
        },
    ),
    (
        frame_answer(3, 2, 4),
        {
            "p_open": Change("sbnn_frame_answer", "IDLE, NEXT: out_valid", "NEXT: out_valid"),
            "p_done": Change("sbnn_frame_answer", "== INDEX_BITS'(3);", "== INDEX_BITS'(2);"),
            "p_header": Change("sbnn_frame_answer", "16'(RESULT_BYTES)", "16'(BEAT_BYTES)"),
            "p_info": Change("sbnn_frame_answer", "INFO[8*index_q+:8]", "INFO[7:0]"),
            "p_result": Change("sbnn_frame_answer", "beat_q[8*lane_q+:8]", "beat_q[7:0]"),
            "p_status": Change("sbnn_frame_answer", "out_valid = closed", "out_valid = 1'b1"),
            "p_crc": Change("sbnn_frame_answer", "out_data = crc_byte", "out_data = crc_q[7:0]"),
            "p_take": Change("sbnn_frame_answer", "tready = !beat_valid_q", "tready = 1'b1"),
            "p_hold": Change(
                "sbnn_frame_answer", "= header_byte;", "= out_ready ? header_byte : crc_byte;"
            ),
            "p_progress": Change(
                "sbnn_frame_answer", "(results_q < images_in || closed)", "(closed)"
            ),
        },
    ),
    (
        uart_rx(4, 1, 4, 1),
        {
            "p_once": Change("sbnn_uart_rx", "if (line_q[1]) left_q", "if (!line_q[1]) left_q"),
            "p_byte": Change(
                "sbnn_uart_rx", "{line_q[1], data_q[7:1]}", "{data_q[6:0], line_q[1]}"
            ),
        },
    ),
    (
        dma_read(4, 5, 2),
        {
            "p_hold": Change("sbnn_dma_read", "arvalid = valid_q", "arvalid = valid_q && !stop"),
            "p_address": Change("sbnn_dma_read", "next_q + 29'(beats)", "next_q + 29'(16)"),
            "p_boundary": Change("sbnn_dma_burst", "10'd512 -", "10'd513 -"),
            "p_length": Change("sbnn_dma_burst", "5'(known)", "5'd1"),
            "p_stop": Change("sbnn_dma_read", "!stop && !valid_q", "!valid_q"),
            "p_most": Change("sbnn_dma_read", COUNTED, "bursts_q <= bursts_q"),
            "p_push": Change("sbnn_dma_read", "push = beat && !stop", "push = beat"),
            "p_last": Change(
                "sbnn_dma_read", "none_left && bursts_q == COUNT_BITS'(1)", "none_left"
            ),
            "p_failed": Change("sbnn_dma_read", "m_axi_rresp != 2'b00", "m_axi_rresp[1]"),
            "p_drained": Change("sbnn_dma_read", "drained = bursts_q == '0", "drained = !valid_q"),
            "p_finished": Change("sbnn_dma_read", "drained && none_left", "none_left"),
            "p_progress": Change("sbnn_dma_read", REMAINDER, "1'b0"),
        },
    ),
    (dma_read(16, 4, 2), {"p_room": Change("sbnn_dma_read", "&& room", "")}),
    (
        dma_write(4, 5, 2),
        {
            "p_hold": Change("sbnn_dma_write", "awvalid = valid_q", "awvalid = valid_q && !stop"),
            "p_stable": Change("sbnn_dma_write", "wvalid = sending", "wvalid = sending && !stop"),
            "p_address": Change("sbnn_dma_write", "next_q + 29'(beats)", "next_q + 29'(16)"),
            "p_boundary": Change("sbnn_dma_burst", "10'd512 -", "10'd513 -"),
            "p_length": Change("sbnn_dma_burst", "5'(known)", "5'd1"),
            "p_stop": Change("sbnn_dma_write", "!stop && !valid_q", "!valid_q"),
            "p_most": Change("sbnn_dma_write", COUNTED, "bursts_q <= bursts_q"),
            "p_send": Change("sbnn_dma_write", "wvalid = sending", "wvalid = sending && !valid_q"),
            "p_last": Change("sbnn_dma_write", "sent_q == sending_len", "sent_q == len_q"),
            "p_pop": Change("sbnn_dma_write", "pop = sending && m_axi_wready", "pop = sending"),
            "p_failed": Change("sbnn_dma_write", "m_axi_bresp != 2'b00", "m_axi_bresp[1]"),
            "p_drained": Change("sbnn_dma_write", "bursts_q == '0 && !valid_q", "bursts_q == '0"),
            "p_finished": Change("sbnn_dma_write", "drained && none_left", "none_left"),
            "p_progress": Change("sbnn_dma_write", REMAINDER, "1'b0"),
        },
    ),
]
