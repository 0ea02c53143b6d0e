"""Device models: one row per metric, with its unit, normal band and how it moves in health.

Figures: EQUIPMENT sheet of the service department; bands marked there as estimates are
configurable per site and per device in the rule profiles, never here.
"""

from dataclasses import dataclass

from equipment.words import Words

OPEN = (None, None)
Band = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Metric:
    """One signal of a device model.

    ``unit`` is a UCUM code; ``every_s`` the sampling period in s; ``nominal``, ``noise`` (1 sigma
    of a sample) and ``swing`` (daily amplitude) describe a healthy device; ``warn`` and ``fail``
    are (low, high) bands, None for an open side. A ``counter`` only grows until it is reset.
    """

    name: str
    unit: str
    component: str
    title: Words
    nominal: float
    noise: float = 0.0
    swing: float = 0.0
    every_s: float = 60.0
    warn: Band = OPEN
    fail: Band = OPEN
    counter: bool = False


@dataclass(frozen=True, slots=True)
class DeviceModel:
    """A device model: its family (for certificates and loaners), grade and metrics."""

    code: str
    family: str
    grade: int
    title: Words
    metrics: tuple[Metric, ...]

    def metric(self, name: str) -> Metric | None:
        """Return the metric called ``name``, or None."""
        return next((m for m in self.metrics if m.name == name), None)


COMPONENTS: dict[str, Words] = {
    "reaction_bath": Words("反应浴", "reaction bath"),
    "lamp": Words("光源灯", "lamp"),
    "photometer": Words("光度计", "photometer"),
    "wash_station": Words("清洗站", "wash station"),
    "water_supply": Words("供水", "water supply"),
    "sample_probe": Words("样本针", "sample probe"),
    "reagent_cooler": Words("试剂冷藏", "reagent cooler"),
    "ise": Words("离子选择电极", "ISE module"),
    "syringe": Words("注射器", "syringe"),
    "carousel": Words("转盘", "carousel"),
    "cabinet": Words("机柜环境", "cabinet environment"),
    "power_supply": Words("电源", "power supply"),
    "process_path": Words("反应轨道", "process path"),
    "optics": Words("光学检测", "optics"),
    "pipettor": Words("加样器", "pipettor"),
    "vessel_loader": Words("反应杯装载", "vessel loader"),
    "vortexer": Words("混匀器", "vortexer"),
    "cabling": Words("线缆与通信", "cabling and communication"),
    "flow_cell": Words("流动室", "flow cell"),
    "pneumatics": Words("气路", "pneumatics"),
    "laser": Words("激光器", "laser"),
    "diluent": Words("稀释液", "diluent"),
    "contact_pins": Words("触点", "contact pins"),
    "thermal_probe": Words("温度探头", "thermal probe"),
    "battery": Words("电池", "battery"),
    "software": Words("软件", "software"),
    "connectivity": Words("联网", "connectivity"),
    "compressor": Words("压缩机", "compressor"),
    "condenser": Words("冷凝器", "condenser"),
    "door": Words("柜门", "door"),
    "workload": Words("工作量", "workload"),
    "clock": Words("时钟", "clock"),
}


def _m(  # one row of the tables below; band sides are low, high
    name: str, unit: str, component: str, zh: str, en: str, nominal: float,
    noise: float = 0.0, swing: float = 0.0, every_s: float = 60.0,
    warn: Band = OPEN, fail: Band = OPEN, *, counter: bool = False,
) -> Metric:  # fmt: skip
    return Metric(
        name, unit, component, Words(zh, en), nominal, noise, swing, every_s, warn, fail, counter
    )


_HOUR, _DAY = 3600.0, 86400.0

# fmt: off
CHEM = DeviceModel("CHEM", "chemistry", 3, Words("生化分析仪", "clinical chemistry analyser"), (
    _m("reaction_bath_temp", "Cel", "reaction_bath", "反应浴温度", "reaction bath temperature", 37.0, 0.03, 0.03, 10, (36.8, 37.2), (36.7, 37.3)),
    _m("lamp_intensity", "%", "lamp", "光源强度", "lamp intensity", 100, 0.8, 0.4, 1800, (80, None), (70, None)),
    _m("lamp_on_time", "h", "lamp", "光源累计点亮", "lamp on time", 0, every_s=_HOUR, warn=(None, 900), fail=(None, 1000), counter=True),
    _m("cuvette_blank_abs_max", "1", "photometer", "比色杯空白最大吸光度", "cuvette blank absorbance, maximum", 0.05, 0.008, 0, _DAY, (None, 0.10), (None, 0.15)),
    _m("wash_vacuum", "kPa", "wash_station", "清洗真空", "wash vacuum", -70, 1.0, 1.5, 10, (None, -62), (None, -55)),
    _m("water_resistivity", "MOhm.cm", "water_supply", "纯水电阻率", "water resistivity", 16, 0.4, 0.5, 60, (12, None), (10, None)),
    _m("water_pressure", "kPa", "water_supply", "供水压力", "water pressure", 220, 5, 10, 10, (170, None), (140, None)),
    _m("sample_asp_peak_pressure", "kPa", "sample_probe", "吸样峰值压力", "sample aspiration peak pressure", 20, 1.5, 0.3, 60, (None, 27), (None, 35)),
    _m("aspiration_error_rate", "%", "sample_probe", "吸样错误率", "aspiration error rate", 0.1, 0.03, 0, _HOUR, (None, 0.5), (None, 2)),
    _m("reagent_cooler_temp", "Cel", "reagent_cooler", "试剂冷藏温度", "reagent cooler temperature", 5.0, 0.2, 0.4, 60, (None, 8), (None, 10)),
    _m("reagent_cooler_duty", "%", "reagent_cooler", "冷藏工作占空比", "reagent cooler duty", 45, 4, 6, 60, (None, 70), (None, 90)),
    _m("ise_slope_na", "mV/{decade}", "ise", "钠电极斜率", "ISE slope, sodium", 58, 0.4, 0, _DAY, (53, None), (50, None)),
    _m("ise_slope_k", "mV/{decade}", "ise", "钾电极斜率", "ISE slope, potassium", 58, 0.4, 0, _DAY, (53, None), (50, None)),
    _m("ise_drift", "mV/h", "ise", "电极漂移", "ISE drift", 0, 0.1, 0, _HOUR, (-0.5, 0.5), (-1, 1)),
    _m("syringe_home_offset", "{step}", "syringe", "注射器零位偏移", "syringe home offset", 0, 1, 0, _HOUR, (-4, 4), (-8, 8)),
    _m("carousel_motor_current", "A", "carousel", "转盘电机电流", "carousel motor current", 1.2, 0.08, 0.05, 10, (None, 1.6), (None, 2.0)),
    _m("cabinet_temp", "Cel", "cabinet", "机柜温度", "cabinet temperature", 26, 0.5, 2, 60, (None, 34), (None, 40)),
    _m("ambient_temp", "Cel", "cabinet", "环境温度", "ambient temperature", 22, 0.4, 1.5, 60, (None, 30), (None, 32)),
    _m("ambient_rh", "%", "cabinet", "环境湿度", "ambient relative humidity", 45, 2, 8, 60, (None, 80), (None, 85)),
    _m("psu_24v", "V", "power_supply", "24 V 电源", "24 V supply", 24.0, 0.05, 0, 10, (23.4, 24.6), (22.8, 25.2)),
    _m("tests_total", "{test}", "workload", "累计测试数", "tests, total", 0, counter=True),
    _m("washes_total", "{count}", "workload", "累计清洗数", "washes, total", 0, counter=True),
))

IMMU = DeviceModel("IMMU", "immunoassay", 3, Words("免疫分析仪", "immunoassay analyser"), (
    _m("process_path_temp", "Cel", "process_path", "反应轨道温度", "process path temperature", 37.0, 0.05, 0.03, 10, (36.7, 37.3), (36.5, 37.5)),
    _m("wash_zone_temp", "Cel", "wash_station", "清洗区温度", "wash zone temperature", 37.0, 0.08, 0.05, 10, (36.5, 37.5), (36.0, 38.0)),
    _m("wash_zone_vacuum", "kPa", "wash_station", "清洗区真空", "wash zone vacuum", -60, 1, 1, 10, (None, -52), (None, -45)),
    _m("wash_dispense_volume", "uL", "wash_station", "清洗分注体积", "wash dispense volume", 400, 4, 0, 6 * _HOUR, (385, None), (370, None)),
    _m("optics_dark", "{RLU}", "optics", "暗计数", "optics dark count", 120, 15, 0, _HOUR, (None, 200), (None, 300)),
    _m("optics_reference", "{RLU}", "optics", "参比光强", "optics reference", 50_000, 400, 0, _DAY, (45_000, None), (40_000, None)),
    _m("rlu_spike_rate", "/h", "optics", "发光尖峰率", "light spike rate", 0.02, 0.01, 0, _HOUR, (None, 0.2), (None, 1)),
    _m("pipettor_peak_pressure", "kPa", "pipettor", "加样峰值压力", "pipettor peak pressure", 22, 1.6, 0.3, 60, (None, 29), (None, 37)),
    _m("reagent_carousel_temp", "Cel", "reagent_cooler", "试剂转盘温度", "reagent carousel temperature", 5, 0.3, 0.4, 60, (None, 8), (None, 10)),
    _m("reagent_cooler_duty", "%", "reagent_cooler", "冷藏工作占空比", "reagent cooler duty", 45, 4, 6, 60, (None, 70), (None, 90)),
    _m("rv_jam_rate", "%", "vessel_loader", "反应杯卡杯率", "reaction vessel jam rate", 0.02, 0.01, 0, _HOUR, (None, 0.1), (None, 0.5)),
    _m("vortexer_speed", "/min", "vortexer", "混匀转速", "vortexer speed", 1500, 10, 0, 60, (1450, 1550), (1400, 1600)),
    _m("trigger_line_pressure", "kPa", "pneumatics", "激发液压力", "trigger line pressure", 35, 0.8, 0, 60, (31, 39), (28, 42)),
    _m("comm_error_rate", "/h", "cabling", "通信错误率", "communication error rate", 0, 0.02, 0, _HOUR, (None, 0.5), (None, 2)),
    _m("tests_total", "{test}", "workload", "累计测试数", "tests, total", 0, counter=True),
))

HEMA = DeviceModel("HEMA", "haematology", 2, Words("血液分析仪", "haematology analyser"), (
    _m("background_wbc", "10*9/L", "flow_cell", "白细胞本底", "background WBC", 0.05, 0.03, 0, _DAY, (None, 0.2), (None, 0.3)),
    _m("background_rbc", "10*12/L", "flow_cell", "红细胞本底", "background RBC", 0.0, 0.005, 0, _DAY, (None, 0.02), (None, 0.03)),
    _m("background_hgb", "g/L", "flow_cell", "血红蛋白本底", "background HGB", 0, 0.2, 0, _DAY, (None, 0.8), (None, 1)),
    _m("background_plt", "10*9/L", "flow_cell", "血小板本底", "background PLT", 2, 1, 0, _DAY, (None, 7), (None, 10)),
    _m("sheath_pressure", "kPa", "pneumatics", "鞘流压力", "sheath pressure", 40, 0.6, 0.3, 10, (38, 42), (36, 44)),
    _m("vacuum", "kPa", "pneumatics", "真空", "vacuum", -45, 1, 0.5, 10, (None, -40), (None, -35)),
    _m("laser_current", "mA", "laser", "激光电流", "laser current", 62, 0.4, 0.2, 60, (None, 70), (None, 75)),
    _m("clog_rate", "%", "flow_cell", "堵孔率", "clog rate", 0.2, 0.05, 0, _HOUR, (None, 1), (None, 4)),
    _m("sample_asp_pressure", "kPa", "sample_probe", "吸样压力", "sample aspiration pressure", 18, 1.2, 0.3, 60, (None, 25), (None, 31)),
    _m("reagent_temp", "Cel", "diluent", "试剂温度", "reagent temperature", 24, 0.6, 1.5, 60, (17, 29), (15, 30)),
    _m("diluent_level", "%", "diluent", "稀释液余量", "diluent level", 60, 1, 0, 60, (10, None), (5, None)),
    _m("cbc_total", "{test}", "workload", "累计血常规", "CBC, total", 0, counter=True),
))

POCT = DeviceModel("POCT", "point-of-care", 1, Words("床旁血气仪", "point-of-care blood analyser"), (
    _m("sim_check_failures", "{count}", "contact_pins", "模拟器自检失败数", "simulator check failures", 0, every_s=_DAY, warn=(None, 0.5), fail=(None, 1.5)),
    _m("thermal_probe_delta", "Cel", "thermal_probe", "温度探头偏差", "thermal probe delta", 0.0, 0.03, 0, _DAY, (-0.1, 0.1), (-0.15, 0.15)),
    _m("battery_voltage", "V", "battery", "电池电压", "battery voltage", 7.2, 0.05, 0.3, 300, (6.7, None), (6.5, None)),
    _m("software_days_left", "d", "software", "软件剩余天数", "software days left", 120, every_s=_DAY, warn=(15, None), fail=(0.5, None)),
    _m("upload_age", "h", "connectivity", "距上次上传", "age of last upload", 4, 1, 3, _HOUR, (None, 24), (None, 72)),
    _m("ambient_temp", "Cel", "cabinet", "环境温度", "ambient temperature", 23, 0.5, 1.5, 300, (16, 30), (14, 32)),
    _m("cartridges_total", "{count}", "workload", "累计测试卡", "cartridges, total", 0, every_s=_HOUR, counter=True),
))

ULTF = DeviceModel("ULTF", "cold-storage", 1, Words("超低温冰箱", "ultra-low freezer"), (
    _m("cabinet_temp", "Cel", "compressor", "箱内温度", "cabinet temperature", -80, 0.6, 0.8, 60, (None, -74), (None, -70)),
    _m("compressor_current", "A", "compressor", "压缩机电流", "compressor current", 4.5, 0.1, 0.1, 60, (None, 5.2), (None, 6.0)),
    _m("compressor_duty", "%", "condenser", "压缩机占空比", "compressor duty", 60, 3, 4, 60, (None, 85), (None, 97)),
    _m("condenser_temp", "Cel", "condenser", "冷凝器温度", "condenser temperature", 32, 0.6, 1.5, 60, (None, 42), (None, 50)),
    _m("door_open", "s", "door", "柜门开启时间", "door open time", 0, every_s=60, warn=(None, 120), fail=(None, 600)),
    _m("ambient_temp", "Cel", "cabinet", "环境温度", "ambient temperature", 22, 0.4, 1.5, 60, (None, 30), (None, 32)),
))
# fmt: on

MODELS: dict[str, DeviceModel] = {m.code: m for m in (CHEM, IMMU, HEMA, POCT, ULTF)}
