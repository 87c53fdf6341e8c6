// A Zynq's programmable logic with one bitwright overlay in it: the Verilated accelerator, an AXI DMA in direct
// register mode (AMD PG021), and a window of DDR. The processor's side is board_read and board_write; time passes
// only in them, and in board_run.
//
// board_config.h, written for one design, gives the addresses, and the widths of ports and stream. Compiled with the model.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "Vboard.h"
#include "board_config.h"
#include "verilated.h"

namespace {

template <class T>
inline void set_bytes(T& value, const uint8_t* bytes) {
    std::memcpy(&value, bytes, sizeof(T));
}
template <std::size_t N>
inline void set_bytes(VlWide<N>& value, const uint8_t* bytes) {
    std::memcpy(&value[0], bytes, 4 * N);
}
template <class T>
inline void set_ones(T& value, unsigned bits) {
    value = bits >= 8 * sizeof(T) ? static_cast<T>(~T{0}) : static_cast<T>((T{1} << bits) - 1);
}
template <std::size_t N>
inline void set_ones(VlWide<N>& value, unsigned bits) {
    for (std::size_t i = 0; i < N; ++i) {
        const unsigned left = bits > 32 * i ? bits - 32 * i : 0;
        value[i] = left >= 32 ? 0xffffffffu : (1u << left) - 1;
    }
}

constexpr uint32_t RUN = 1, RESET = 4;                                    // DMACR
constexpr uint32_t HALTED = 1, IDLE = 2, INTERNAL = 0x10, SLAVE = 0x20, DECODE = 0x40, COMPLETE = 0x1000;  // DMASR
constexpr uint64_t READ_LATENCY = 40, WRITE_LATENCY = 20, DMA_RESET_CYCLES = 12, RESET_PULSE = 16;
constexpr uint64_t PORT_BYTES = PORT_BITS / 8;  // what the memory port moves in a cycle
constexpr uint64_t LITE_LIMIT = 1000, FAST_LIMIT = 1u << 24, FAST_QUIET = 1u << 16;

enum Fault : uint32_t {  // mirrored by simulated/pynq_device.py
    NO_FAULT, SEND_DECODE_ERROR, RECEIVE_SLAVE_ERROR, TRUNCATE, STALL_SEND, STALL_RECEIVE, HARD_RESET, SOFT_RESET,
    LOSE_LAST,
};
enum Problem : uint32_t { NO_PROBLEM, BUS_ERROR, UNALIGNED, BUSY_START, LITE_HANGS };

struct Channel {
    uint32_t control = 0, status = HALTED, address = 0, address_high = 0, length = 0;
    bool active = false;
    uint64_t position = 0, ready_at = 0, credit = 0, beats = 0, finish_at = 0;

    void stop(uint32_t error) {
        active = false;
        control &= ~RUN;
        status |= HALTED | error;
    }
    void finish() {
        active = false;
        status |= IDLE | COMPLETE;
    }
};

struct Lite {  // one access under way on the control port
    enum { NONE, READ, WRITE } kind = NONE;
    bool address_gone = false, data_gone = false, done = true;
    uint32_t data = 0;
};

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

struct Board {
    std::unique_ptr<VerilatedContext> context{new VerilatedContext};
    std::unique_ptr<Vboard> top{new Vboard{context.get(), "board"}};
    std::vector<uint8_t> memory = std::vector<uint8_t>(MEMORY_SIZE);
    Channel send, receive;
    Lite lite;
    uint64_t cycle = 0, dma_reset_until = 0, progress_at = 0, reset_until = 0;
    uint64_t access_cycles = 24;
    bool fast = false;
    uint32_t fault = NO_FAULT, problem = NO_PROBLEM;
    uint64_t fault_beat = 0;
    bool stalled_send = false, stalled_receive = false;

    bool strikes(uint32_t kind, uint64_t beat) {
        if (fault != kind || beat != fault_beat) return false;
        fault = NO_FAULT;
        return true;
    }
    bool in_memory(uint64_t address, uint64_t bytes) const {
        return address >= MEMORY_BASE && address + bytes <= MEMORY_BASE + MEMORY_SIZE;
    }

    void reset_dma() {
        send = Channel{};
        receive = Channel{};
        stalled_send = stalled_receive = false;
        dma_reset_until = cycle + DMA_RESET_CYCLES;
    }

    void request(decltype(Lite::kind) kind, uint32_t address, uint32_t data) {
        lite = Lite{};
        lite.kind = kind;
        lite.done = false;
        lite.data = data;
        if (kind == Lite::READ) {
            top->s_axi_control_araddr = address;
        } else {
            top->s_axi_control_awaddr = address;
            top->s_axi_control_wdata = data;
            top->s_axi_control_wstrb = 0xf;
        }
    }

    // the beat that MM2S offers in this cycle; false if there is none
    bool offer() {
        top->s_axis_tvalid = 0;
        top->s_axis_tlast = 0;
        if (!send.active || send.finish_at || stalled_send || cycle < send.ready_at || reset_until > cycle) return false;
        const uint64_t left = send.length - send.position, bytes = left < STREAM_BYTES ? left : STREAM_BYTES;
        if (send.credit < bytes) return false;
        const uint64_t address = (static_cast<uint64_t>(send.address_high) << 32 | send.address) + send.position;
        if (!in_memory(address, bytes) || strikes(SEND_DECODE_ERROR, send.beats)) {
            send.stop(DECODE);
            return false;
        }
        if (strikes(STALL_SEND, send.beats)) {
            stalled_send = true;
            return false;
        }
        if (strikes(TRUNCATE, send.beats)) send.length = send.position + bytes;  // TLAST now, and the rest is lost
        uint8_t beat[STREAM_BYTES < 8 ? 8 : STREAM_BYTES] = {};
        std::memcpy(beat, memory.data() + (address - MEMORY_BASE), bytes);
        set_bytes(top->s_axis_tdata, beat);
        set_ones(top->s_axis_tkeep, bytes);
        const bool last = send.position + bytes >= send.length;
        top->s_axis_tlast = last && fault != LOSE_LAST;
        top->s_axis_tvalid = 1;
        return true;
    }

    void sent() {
        const uint64_t left = send.length - send.position, bytes = left < STREAM_BYTES ? left : STREAM_BYTES;
        send.position += bytes;
        send.credit -= bytes;
        ++send.beats;
        progress_at = cycle;
        if (send.position >= send.length) {
            send.finish_at = cycle + 4;
            if (fault == LOSE_LAST) fault = NO_FAULT;
        }
        if (strikes(HARD_RESET, send.beats)) reset_until = cycle + RESET_PULSE;
        if (fault == SOFT_RESET && send.beats >= fault_beat && lite.done) {
            fault = NO_FAULT;
            request(Lite::WRITE, CONTROL_OFFSET, 3);
        }
    }

    void received() {
        const uint64_t address = (static_cast<uint64_t>(receive.address_high) << 32 | receive.address) + receive.position;
        ++receive.beats;
        progress_at = cycle;
        if (strikes(RECEIVE_SLAVE_ERROR, receive.beats)) return receive.stop(SLAVE);
        if (receive.position + 8 > receive.length) return receive.stop(INTERNAL);  // larger than its buffer
        if (!in_memory(address, 8)) return receive.stop(DECODE);
        const uint64_t word = top->m_axis_tdata;
        std::memcpy(memory.data() + (address - MEMORY_BASE), &word, 8);
        receive.position += 8;
        if (top->m_axis_tlast) {
            receive.finish_at = cycle + WRITE_LATENCY;
            receive.length = receive.position;
        }
        if (strikes(STALL_RECEIVE, receive.beats)) stalled_receive = true;
    }

    void step() {
        top->aclk = 0;
        top->aresetn = cycle >= reset_until;
        const uint64_t most = 16 * PORT_BYTES + STREAM_BYTES;  // a burst
        if (send.active && cycle >= send.ready_at) {
            send.credit = send.credit + PORT_BYTES < most ? send.credit + PORT_BYTES : most;
        }
        offer();
        const bool taking = receive.active && !receive.finish_at && !stalled_receive && reset_until <= cycle;
        top->m_axis_tready = taking;
        const bool reading = lite.kind == Lite::READ, writing = lite.kind == Lite::WRITE;
        top->s_axi_control_arvalid = reading && !lite.done && !lite.address_gone;
        top->s_axi_control_rready = reading && !lite.done;
        top->s_axi_control_awvalid = writing && !lite.done && !lite.address_gone;
        top->s_axi_control_wvalid = writing && !lite.done && !lite.data_gone;
        top->s_axi_control_bready = writing && !lite.done;
        top->eval();
        const bool gone = top->s_axis_tvalid && top->s_axis_tready;
        const bool came = taking && top->m_axis_tvalid;
        if (reading && !lite.done) {
            if (top->s_axi_control_arvalid && top->s_axi_control_arready) lite.address_gone = true;
            if (top->s_axi_control_rvalid) {
                lite.data = top->s_axi_control_rdata;
                lite.done = true;
            }
        } else if (writing && !lite.done) {
            if (top->s_axi_control_awvalid && top->s_axi_control_awready) lite.address_gone = true;
            if (top->s_axi_control_wvalid && top->s_axi_control_wready) lite.data_gone = true;
            if (top->s_axi_control_bvalid) lite.done = true;
        }
        if (gone) sent();
        if (came) received();
        if (send.active && send.finish_at && cycle >= send.finish_at) send.finish();
        if (receive.active && receive.finish_at && cycle >= receive.finish_at) receive.finish();
        top->aclk = 1;
        top->eval();
        ++cycle;
    }

    void run_ahead(Channel& channel) {  // a poll in the fast mode: to the channel's end, or until nothing moves
        progress_at = cycle;
        for (uint64_t n = 0; channel.active && n < FAST_LIMIT && cycle - progress_at < FAST_QUIET; ++n) step();
    }

    uint32_t access(decltype(Lite::kind) kind, uint32_t offset, uint32_t data) {
        uint64_t n = 0;
        while (!lite.done && n++ < LITE_LIMIT) step();
        request(kind, offset, data);
        while (!lite.done && n++ < LITE_LIMIT) step();
        if (!lite.done) {
            lite = Lite{};
            problem = LITE_HANGS;
        }
        return lite.data;
    }

    uint32_t dma_read(uint32_t offset) {
        Channel& channel = offset < 0x30 ? send : receive;
        switch (offset % 0x30) {
            case 0x00: return channel.control | (cycle < dma_reset_until ? RESET : 0);
            case 0x04:
                if (fast && channel.active) run_ahead(channel);
                return channel.status;
            case 0x18: return channel.address;
            case 0x1c: return channel.address_high;
            case 0x28: return static_cast<uint32_t>(channel.length);
            default: return 0;
        }
    }

    void dma_write(uint32_t offset, uint32_t value) {
        if (cycle < dma_reset_until) return;
        Channel& channel = offset < 0x30 ? send : receive;
        switch (offset % 0x30) {
            case 0x00:
                if (value & RESET) return reset_dma();
                channel.control = value & ~RESET;
                if (value & RUN) {
                    channel.status &= ~HALTED;
                } else {
                    channel.active = false;
                    channel.status |= HALTED;
                }
                break;
            case 0x04: channel.status &= ~(value & 0x7000); break;
            case 0x18: channel.address = value; break;
            case 0x1c: channel.address_high = value; break;
            case 0x28: start(channel, value & LENGTH_MASK); break;
            default: break;
        }
    }

    void start(Channel& channel, uint32_t length) {
        if (channel.status & HALTED) return;  // PG021: LENGTH has no effect while the channel is halted
        if (channel.active) problem = BUSY_START;
        if (channel.address % (&channel == &send ? SEND_ALIGNMENT : PORT_BYTES)) problem = UNALIGNED;
        if (problem != NO_PROBLEM) return;
        channel.length = length;
        if (length == 0) return channel.stop(INTERNAL);
        channel.status &= ~IDLE;
        channel.active = true;
        channel.position = channel.beats = channel.credit = channel.finish_at = 0;
        channel.ready_at = cycle + READ_LATENCY;
    }
};

Board* board_new() {
    Board* board = new Board;
    board->reset_until = RESET_PULSE;
    for (uint64_t n = 0; n < 2 * RESET_PULSE; ++n) board->step();
    return board;
}

void board_free(Board* board) {
    board->top->final();
    delete board;
}

// Widths of the ports that the logic was built for; the processing system must be set to the same.
uint32_t board_control_bits() { return CONTROL_BITS; }
uint32_t board_port_bits() { return PORT_BITS; }

uint8_t* board_memory(Board* board) { return board->memory.data(); }
uint64_t board_cycles(const Board* board) { return board->cycle; }

// access_cycles: clock cycles from one access of the processor to the next; fast: a poll of a channel that works
// runs the model to the transfer's end
void board_pace(Board* board, uint64_t access_cycles, uint32_t fast) {
    board->access_cycles = access_cycles;
    board->fast = fast != 0;
}

// Strikes once, at `beat` of the packet that is sent (or received).
void board_fault(Board* board, uint32_t fault, uint64_t beat) {
    board->fault = fault;
    board->fault_beat = beat;
}

void board_run(Board* board, uint64_t cycles) {
    while (cycles--) board->step();
}

// Both return a Problem, 0 for none; a real processor would take a bus error, or hang.
uint32_t board_read(Board* board, uint32_t address, uint32_t* value) {
    board_run(board, board->access_cycles);
    board->problem = NO_PROBLEM;
    if (address - DMA_BASE < DMA_SIZE) {
        *value = board->dma_read(address - DMA_BASE);
    } else if (address - ACCELERATOR_BASE < ACCELERATOR_SIZE) {
        *value = board->access(Lite::READ, (address - ACCELERATOR_BASE) & 0xff, 0);
    } else {
        board->problem = BUS_ERROR;
    }
    return board->problem;
}

uint32_t board_write(Board* board, uint32_t address, uint32_t value) {
    board_run(board, board->access_cycles);
    board->problem = NO_PROBLEM;
    if (address - DMA_BASE < DMA_SIZE) {
        board->dma_write(address - DMA_BASE, value);
    } else if (address - ACCELERATOR_BASE < ACCELERATOR_SIZE) {
        board->access(Lite::WRITE, (address - ACCELERATOR_BASE) & 0xff, value);
    } else {
        board->problem = BUS_ERROR;
    }
    return board->problem;
}

}  // extern "C"
#pragma GCC visibility pop
