// The F´ component Cssa::Captioner: libcssa behind commands, events and telemetry. Captioner.fpp describes it.

#ifndef Cssa_Captioner_HPP
#define Cssa_Captioner_HPP

#include <cssa.h>

#include "CaptionerComponentAc.hpp"

namespace Cssa {

class Captioner final : public CaptionerComponentBase {
  public:
    explicit Captioner(const char* const compName);
    ~Captioner();
    Captioner(const Captioner&) = delete;
    Captioner& operator=(const Captioner&) = delete;

    //! Before the component is started: the vehicle's number on the link, 0 for none, and the number of its first caption. To the ground
    //! two captions with the same number are one: numbers go on where the run before has ended.
    void configure(U16 vehicle, U32 firstNumber);

  private:
    void LOAD_cmdHandler(FwOpcodeType opCode, U32 cmdSeq, const Fw::CmdStringArg& bundle) override;
    void CAPTION_cmdHandler(FwOpcodeType opCode, U32 cmdSeq, const Fw::CmdStringArg& image) override;
    void UNLOAD_cmdHandler(FwOpcodeType opCode, U32 cmdSeq) override;

    void report(const CssaCaption* caption);
    //! Whether nothing went wrong; where nobody is connected, nothing does.
    bool send(const CssaCaption* caption);
    U32 seconds();

    CssaCaptioner* m_captioner;
    U32 m_start;
    bool m_isStarted;
    U16 m_vehicle;
    U32 m_number;
    U32 m_captions;
    U32 m_failures;
};

}  // namespace Cssa

#endif
