#include "Captioner.hpp"

namespace Cssa {

namespace {

// A later libcssa may have codes that this component does not know.
Status statusOf(const CssaStatus code) {
    return Status::isValid(code) ? Status(static_cast<Status::T>(code)) : Status(Status::FAULT);
}

Outside outsideOf(const CssaOutside code) {
    return Outside::isValid(code) ? Outside(static_cast<Outside::T>(code)) : Outside(Outside::UNKNOWN);
}

// Seconds less than these count from the start, in packets.
constexpr U32 EARLIEST_UTC = 1577836800;

// F´ has 40 by default, and cuts or refuses what is longer.
static_assert(FW_CMD_STRING_MAX_SIZE >= 160, "paths need more: set FW_CMD_STRING_MAX_SIZE to 160 or more in your configuration");

}  // namespace

Captioner::Captioner(const char* const compName)
    : CaptionerComponentBase(compName), m_captioner(nullptr), m_start(0), m_isStarted(false), m_vehicle(0), m_number(0), m_captions(0), m_failures(0) {}

Captioner::~Captioner() {
    cssa_close(&this->m_captioner);
}

void Captioner::configure(const U16 vehicle, const U32 firstNumber) {
    this->m_vehicle = vehicle;
    this->m_number = firstNumber;
}

void Captioner::LOAD_cmdHandler(const FwOpcodeType opCode, const U32 cmdSeq, const Fw::CmdStringArg& bundle) {
    (void)this->seconds();
    CssaCaptioner* loaded = nullptr;
    const CssaStatus status = cssa_open(bundle.toChar(), nullptr, &loaded);
    if (status != CSSA_STATUS_OK) {
        this->log_WARNING_HI_NotLoaded(statusOf(status), Fw::String(cssa_last_error()));
        this->cmdResponse_out(opCode, cmdSeq, Fw::CmdResponse::EXECUTION_ERROR);
        return;
    }
    cssa_close(&this->m_captioner);
    this->m_captioner = loaded;
    this->log_ACTIVITY_HI_Loaded(Fw::String(bundle.toChar()), Fw::String(cssa_runtime(loaded)));
    this->tlmWrite_IsLoaded(true);
    this->cmdResponse_out(opCode, cmdSeq, Fw::CmdResponse::OK);
}

void Captioner::CAPTION_cmdHandler(const FwOpcodeType opCode, const U32 cmdSeq, const Fw::CmdStringArg& image) {
    if (this->m_captioner == nullptr) {
        this->log_WARNING_LO_NothingLoaded();
        this->cmdResponse_out(opCode, cmdSeq, Fw::CmdResponse::EXECUTION_ERROR);
        return;
    }
    CssaCaption* caption = nullptr;
    const CssaStatus status = cssa_caption_file(this->m_captioner, image.toChar(), &caption);
    if (status != CSSA_STATUS_OK) {
        this->log_WARNING_HI_NotCaptioned(statusOf(status), Fw::String(cssa_last_error()));
        this->tlmWrite_Failures(++this->m_failures);
        this->cmdResponse_out(opCode, cmdSeq, Fw::CmdResponse::EXECUTION_ERROR);
        return;
    }
    this->report(caption);
    const bool isSent = this->send(caption);
    cssa_caption_free(&caption);
    this->m_number++;
    this->tlmWrite_Captions(++this->m_captions);
    this->cmdResponse_out(opCode, cmdSeq, isSent ? Fw::CmdResponse::OK : Fw::CmdResponse::EXECUTION_ERROR);
}

void Captioner::UNLOAD_cmdHandler(const FwOpcodeType opCode, const U32 cmdSeq) {
    cssa_close(&this->m_captioner);
    this->log_ACTIVITY_HI_Unloaded();
    this->tlmWrite_IsLoaded(false);
    this->cmdResponse_out(opCode, cmdSeq, Fw::CmdResponse::OK);
}

void Captioner::report(const CssaCaption* const caption) {
    const Fw::String words(cssa_caption_text(caption));
    const CssaOutside outside = cssa_caption_outside(caption);
    this->tlmWrite_LastOutside(outsideOf(outside));
    this->tlmWrite_Milliseconds(static_cast<F32>(cssa_caption_milliseconds(caption)));
    double confidence = 0.0;
    const CssaStatus known = cssa_caption_confidence(caption, &confidence);
    const U16 thousandths = known == CSSA_STATUS_OK ? static_cast<U16>(confidence * 1000.0 + 0.5) : 0;
    if (known == CSSA_STATUS_OK) {
        this->tlmWrite_Confidence(thousandths);
    }
    if (outside > CSSA_OUTSIDE_NO) {
        this->log_WARNING_LO_CaptionedOutside(this->m_number, outsideOf(outside), words);
    } else if (known == CSSA_STATUS_OK) {
        this->log_ACTIVITY_HI_Captioned(this->m_number, thousandths, words);
    } else {
        this->log_ACTIVITY_HI_CaptionedUnsure(this->m_number, words);
    }
}

bool Captioner::send(const CssaCaption* const caption) {
    if (!this->isConnected_packetOut_OutputPort(0)) {
        return true;
    }
    CssaPacket packet = {};
    packet.size = sizeof packet;
    packet.number = this->m_number;
    packet.time = this->seconds();
    packet.vehicle = this->m_vehicle;
    U8 bytes[FW_COM_BUFFER_MAX_SIZE];
    size_t length = 0;
    const CssaStatus status = cssa_pack(caption, &packet, bytes, sizeof bytes, &length);
    if (status != CSSA_STATUS_OK) {
        this->log_WARNING_HI_NotPacked(statusOf(status), Fw::String(cssa_last_error()));
        return false;
    }
    Fw::ComBuffer buffer(bytes, static_cast<FwSizeType>(length));
    this->packetOut_out(0, buffer, 0);
    return true;
}

// UTC where F´ has it, else the seconds since the first command: when a clock of another base began, nobody on the ground knows.
U32 Captioner::seconds() {
    const Fw::Time now = this->getTime();
    if (!this->m_isStarted) {
        this->m_start = now.getSeconds();
        this->m_isStarted = true;
    }
    if (now.getTimeBase() == TimeBase::TB_WORKSTATION_TIME) {
        return now.getSeconds();
    }
    const U32 since = now.getSeconds() > this->m_start ? now.getSeconds() - this->m_start : 0;
    return since < EARLIEST_UTC ? since : EARLIEST_UTC - 1;
}

}  // namespace Cssa
