"""How equipment fails: one row per failure mode.

Source: EQUIPMENT sections 2 to 6; shares and intervals there are estimates of service engineers.
"""

from dataclasses import dataclass
from typing import NamedTuple

from equipment.words import Words

HOUR_S, DAY_S = 3600.0, 86400.0


class Effect(NamedTuple):
    """At failure ``metric`` reads ``delta`` more than healthy.

    ``shape`` overrides the mode's; nothing shows before ``begins``, a share of the lead time.
    """

    metric: str
    delta: float
    shape: str = ""
    begins: float = 0.0


class Signal(NamedTuple):
    """An event code that comes ``per_day`` times a day at failure, less before."""

    code: str
    severity: str
    per_day: float


@dataclass(frozen=True, slots=True)
class Mode:
    """One failure mode of a device model.

    ``lead_s`` is the (shortest, longest) time from the first sign to failure. ``share`` is its
    part of the model's failures. Control results are off by ``qc_bias`` SD and scatter
    ``qc_spread`` times as much at failure. ``heals`` is how often it goes away by itself.
    """

    id: str
    model: str
    component: str
    title: Words
    shape: str
    lead_s: tuple[float, float]
    share: float
    effects: tuple[Effect, ...]
    signals: tuple[Signal, ...] = ()
    qc_bias: float = 0.0
    qc_spread: float = 1.0
    heals: float = 0.0
    resets: tuple[str, ...] = ()


def _days(shortest: float, longest: float | None = None) -> tuple[float, float]:
    return shortest * DAY_S, (longest or shortest) * DAY_S


_ROWS = (
    Mode(
        id="C1",
        model="CHEM",
        component="lamp",
        title=Words("光源灯老化", "lamp ageing"),
        shape="linear",
        lead_s=_days(30),
        share=8,
        effects=(Effect("lamp_intensity", -30),),
        qc_spread=2.0,
        resets=("lamp_on_time",),
    ),
    Mode(
        id="C3",
        model="CHEM",
        component="wash_station",
        title=Words("真空泵或管路磨损", "vacuum pump or tubing wear"),
        shape="exponential",
        lead_s=_days(14),
        share=10,
        effects=(Effect("wash_vacuum", 15),),
        qc_spread=1.5,
    ),
    Mode(
        id="C4",
        model="CHEM",
        component="sample_probe",
        title=Words("样本针部分堵塞", "partial clot in the sample probe"),
        shape="ramp",
        lead_s=(6 * HOUR_S, 48 * HOUR_S),
        share=18,
        effects=(Effect("sample_asp_peak_pressure", 15), Effect("aspiration_error_rate", 2.9)),
        signals=(Signal("CLOT", "warning", 6),),
        heals=0.3,
    ),
    Mode(
        id="C5",
        model="CHEM",
        component="syringe",
        title=Words("注射器密封磨损", "syringe seal wear"),
        shape="linear",
        lead_s=_days(30),
        share=7,
        effects=(Effect("syringe_home_offset", 8),),
        qc_bias=-1.5,
    ),
    Mode(
        id="C6",
        model="CHEM",
        component="ise",
        title=Words("电极老化", "ISE electrode ageing"),
        shape="linear",
        lead_s=_days(60),
        share=12,
        effects=(Effect("ise_slope_na", -8), Effect("ise_slope_k", -8), Effect("ise_drift", 0.8)),
    ),
    Mode(
        id="C7",
        model="CHEM",
        component="reagent_cooler",
        title=Words("冷藏冷凝器积尘或缺冷媒", "cooler condenser dust or low refrigerant"),
        shape="exponential",
        lead_s=_days(21),
        share=7,
        effects=(
            Effect("reagent_cooler_duty", 45),
            Effect("reagent_cooler_temp", 6, "linear", 19 / 21),
        ),
    ),
    Mode(
        id="C8",
        model="CHEM",
        component="water_supply",
        title=Words("纯水柱耗尽", "water cartridge exhausted"),
        shape="linear",
        lead_s=_days(7),
        share=8,
        effects=(Effect("water_resistivity", -8), Effect("cuvette_blank_abs_max", 0.03)),
    ),
    Mode(
        id="C10",
        model="CHEM",
        component="carousel",
        title=Words("转盘轴承磨损", "carousel bearing wear"),
        shape="linear",
        lead_s=_days(60),
        share=8,
        effects=(Effect("carousel_motor_current", 0.8),),
        signals=(Signal("LOST_STEP", "warning", 5),),
    ),
    Mode(
        id="C11",
        model="CHEM",
        component="power_supply",
        title=Words("电源老化", "power supply ageing"),
        shape="intermittent",
        lead_s=_days(10),
        share=3,
        effects=(Effect("psu_24v", -1.2),),
        signals=(Signal("REBOOT", "error", 2),),
    ),
    Mode(
        id="I1",
        model="IMMU",
        component="optics",
        title=Words("光学窗口污染或倍增管衰减", "optics window or photomultiplier gain loss"),
        shape="linear",
        lead_s=_days(90),
        share=10,
        effects=(Effect("optics_reference", -12_500),),
        qc_bias=-2.0,
    ),
    Mode(
        id="I2",
        model="IMMU",
        component="wash_station",
        title=Words("清洗针堵塞", "wash nozzle clog"),
        shape="ramp",
        lead_s=_days(3, 7),
        share=15,
        effects=(Effect("wash_dispense_volume", -48),),
        qc_bias=2.0,
    ),
    Mode(
        id="I3",
        model="IMMU",
        component="wash_station",
        title=Words("清洗真空泄漏", "wash vacuum leak"),
        shape="exponential",
        lead_s=_days(14),
        share=12,
        effects=(Effect("wash_zone_vacuum", 15),),
        qc_spread=2.0,
    ),
    Mode(
        id="I5",
        model="IMMU",
        component="optics",
        title=Words("反应杯静电放电", "static discharge on vessels"),
        shape="intermittent",
        lead_s=_days(2),
        share=5,
        effects=(Effect("rlu_spike_rate", 2),),
        signals=(Signal("1007", "error", 4),),
        qc_spread=1.5,
    ),
    Mode(
        id="I6",
        model="IMMU",
        component="cabling",
        title=Words("拖链线缆开裂", "cable raceway cracking"),
        shape="intermittent",
        lead_s=_days(30),
        share=6,
        effects=(Effect("comm_error_rate", 2.5),),
        signals=(Signal("POSITION", "error", 3),),
    ),
    Mode(
        id="I7",
        model="IMMU",
        component="vessel_loader",
        title=Words("反应杯装载磨损", "vessel loader wear"),
        shape="linear",
        lead_s=_days(45),
        share=12,
        effects=(Effect("rv_jam_rate", 0.18),),
        signals=(Signal("RV_JAM", "warning", 4),),
    ),
    Mode(
        id="I9",
        model="IMMU",
        component="reagent_cooler",
        title=Words("试剂冷藏积尘或缺冷媒", "reagent cooler dust or low refrigerant"),
        shape="exponential",
        lead_s=_days(21),
        share=7,
        effects=(
            Effect("reagent_cooler_duty", 45),
            Effect("reagent_carousel_temp", 6, "linear", 19 / 21),
        ),
    ),
    Mode(
        id="H1",
        model="HEMA",
        component="flow_cell",
        title=Words("流动室蛋白沉积", "flow-cell protein build-up"),
        shape="sawtooth",
        lead_s=_days(200),
        share=20,
        effects=(Effect("background_plt", 8), Effect("clog_rate", 3.8)),
        signals=(Signal("CLOG", "warning", 5),),
    ),
    Mode(
        id="H2",
        model="HEMA",
        component="laser",
        title=Words("激光器老化", "laser ageing"),
        shape="exponential",
        lead_s=_days(120),
        share=5,
        effects=(Effect("laser_current", 13),),
    ),
    Mode(
        id="H3",
        model="HEMA",
        component="diluent",
        title=Words("稀释液污染", "contaminated diluent"),
        shape="step",
        lead_s=(0.0, 0.0),
        share=10,
        effects=(Effect("background_plt", 8),),
    ),
    Mode(
        id="H4",
        model="HEMA",
        component="pneumatics",
        title=Words("气压真空泵磨损", "pressure and vacuum pump wear"),
        shape="exponential",
        lead_s=_days(20),
        share=10,
        effects=(Effect("sheath_pressure", -4), Effect("vacuum", 10)),
    ),
    Mode(
        id="P1",
        model="POCT",
        component="contact_pins",
        title=Words("触点磨损", "contact-pin wear"),
        shape="intermittent",
        lead_s=_days(30),
        share=10,
        effects=(Effect("sim_check_failures", 2),),
    ),
    Mode(
        id="P3",
        model="POCT",
        component="battery",
        title=Words("电池组老化", "battery pack ageing"),
        shape="linear",
        lead_s=_days(120),
        share=10,
        effects=(Effect("battery_voltage", -0.8),),
    ),
    Mode(
        id="F1",
        model="ULTF",
        component="condenser",
        title=Words("冷凝器积尘", "condenser dust"),
        shape="exponential",
        lead_s=_days(21),
        share=12,
        effects=(
            Effect("compressor_duty", 35),
            Effect("compressor_current", 0.68),
            Effect("condenser_temp", 12),
            Effect("cabinet_temp", 12, "linear", 20 / 21),
        ),
    ),
    Mode(
        id="F2",
        model="ULTF",
        component="compressor",
        title=Words("压缩机停机", "compressor stop"),
        shape="ramp",
        lead_s=(5 * HOUR_S, 5 * HOUR_S),
        share=4,
        effects=(
            Effect("cabinet_temp", 20),
            Effect("compressor_current", -4.5, "step"),
            Effect("compressor_duty", -60, "step"),
            Effect("condenser_temp", -10, "ramp"),
        ),
        signals=(Signal("COMPRESSOR", "error", 24),),
    ),
)

MODES: dict[str, Mode] = {mode.id: mode for mode in _ROWS}
